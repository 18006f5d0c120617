package remote_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/seed-d36415c0/dtc"
	"github.com/seed-d36415c0/dtc/messages"
	"github.com/seed-d36415c0/dtc/participant/remote"
)

// authority signs certificates.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newAuthority(tb testing.TB) *authority {
	tb.Helper()
	a := &authority{}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"},
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.key = newKey(tb)
	a.cert = sign(tb, template, template, a.key, a.key)
	return a
}

func newKey(tb testing.TB) *ecdsa.PrivateKey {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

func sign(tb testing.TB, template, parent *x509.Certificate, key, by *ecdsa.PrivateKey) *x509.Certificate {
	tb.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), by)
	if err != nil {
		tb.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	return cert
}

// config is what a node at the host uses among those whom the authority knows.
func (a *authority) config(tb testing.TB, host string) *tls.Config {
	tb.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "node"}, NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{host}
	}
	key := newKey(tb)
	cert := sign(tb, template, a.cert, key, a.key)
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}},
		ClientCAs:    pool,
	}
}

func TestTLS_BothWays(t *testing.T) {
	ca := newAuthority(t)
	server := listen(t, quietSystem(), remote.Config{TLS: ca.config(t, "127.0.0.1")})
	if err := server.Serve(&stub{name: "stock"}); err != nil {
		t.Fatal(err)
	}
	system := quietSystem()
	client := listen(t, system, remote.Config{TLS: ca.config(t, "127.0.0.1")})
	c := open(t, system, dtc.Config{})
	if err := c.Execute(background, nil, dtc.Enlistment{Participant: client.Participant("stock", server.Address())}); err != nil {
		t.Error(err)
	}
}

// A name that both sides agree on stands for hosts that have none.
func TestTLS_ServerName(t *testing.T) {
	ca := newAuthority(t)
	named := func() remote.Config {
		c := ca.config(t, "dtc.example")
		c.ServerName = "dtc.example"
		return remote.Config{TLS: c}
	}
	server := listen(t, quietSystem(), named())
	if err := server.Serve(&stub{name: "stock"}); err != nil {
		t.Fatal(err)
	}
	system := quietSystem()
	client := listen(t, system, named())
	a := newAsker(t, system)
	a.ask(client.Participant("stock", server.Address()), prepare(newBranch("stock"), 1))
	if v := a.voted(t); v.Vote != messages.Vote_VOTE_YES {
		t.Errorf("voted %v", v)
	}
}

// Whoever is not to be trusted is refused, and the one who asked is told why.
func TestTLS_Refuses(t *testing.T) {
	ca := newAuthority(t)
	called := make(chan any, 1)
	server := listen(t, quietSystem(), remote.Config{TLS: ca.config(t, "127.0.0.1")})
	stock := &stub{name: "stock", on: signal(called)}
	if err := server.Serve(stock); err != nil {
		t.Fatal(err)
	}
	half := ca.config(t, "127.0.0.1")
	half.Certificates = newAuthority(t).config(t, "127.0.0.1").Certificates
	for name, c := range map[string]struct {
		config remote.Config
		reason string
	}{
		"plaintext":         {remote.Config{Insecure: true}, "no connection"},
		"another authority": {remote.Config{TLS: newAuthority(t).config(t, "127.0.0.1")}, "certificate"},
		"signed by another": {remote.Config{TLS: half}, "no connection"}, // the server says no when the client is through
	} {
		t.Run(name, func(t *testing.T) {
			system := quietSystem()
			client := listen(t, system, c.config)
			a := newAsker(t, system)
			a.ask(client.Participant("stock", server.Address()), prepare(newBranch("stock"), 1))
			if v := a.voted(t); v.Vote != messages.Vote_VOTE_NO || !strings.Contains(v.Reason, c.reason) {
				t.Errorf("voted %v", v)
			}
		})
	}
	if len(called) != 0 {
		t.Error("the participant was called")
	}
	// A server that is not who it should be.
	impostor := listen(t, quietSystem(), remote.Config{TLS: newAuthority(t).config(t, "127.0.0.1")})
	if err := impostor.Serve(stock); err != nil {
		t.Fatal(err)
	}
	system := quietSystem()
	client := listen(t, system, remote.Config{TLS: ca.config(t, "127.0.0.1")})
	a := newAsker(t, system)
	a.ask(client.Participant("stock", impostor.Address()), prepare(newBranch("stock"), 1))
	if v := a.voted(t); !strings.Contains(v.Reason, "certificate") || len(called) != 0 {
		t.Errorf("voted %v", v)
	}
}
