package grpcbranch_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/grpcbranch"
)

// authority signs certificates for a test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority() (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	a := &authority{key: key, cert: template("authority")}
	a.cert.IsCA, a.cert.BasicConstraintsValid = true, true
	der, err := x509.CreateCertificate(rand.Reader, a.cert, a.cert, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	a.cert, err = x509.ParseCertificate(der)
	return a, err
}

func template(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
}

// issue makes a certificate for one party.
func (a *authority) issue(name string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template(name), a.cert, &key.PublicKey, a.key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

func issued(t *testing.T, a *authority, name string) []tls.Certificate {
	t.Helper()
	certificate, err := a.issue(name)
	must(t, err)
	return []tls.Certificate{certificate}
}

func TestMutualTLS(t *testing.T) {
	ours, err := newAuthority()
	must(t, err)
	foreign, err := newAuthority()
	must(t, err)
	stock := newLedger(t, "stock", 1)
	addr, _ := listen(t, func(s *grpc.Server) error { return grpcbranch.Register(s, nil, stock) },
		grpc.Creds(credentials.NewTLS(&tls.Config{
			Certificates: issued(t, ours, "stock"), ClientCAs: ours.pool(), ClientAuth: tls.RequireAndVerifyClientCert,
		})))
	for _, c := range []struct {
		who         string
		credentials credentials.TransportCredentials
		taken       bool
	}{
		{"our coordinator", credentials.NewTLS(&tls.Config{Certificates: issued(t, ours, "shop"), RootCAs: ours.pool()}), true},
		{"one with a foreign certificate", credentials.NewTLS(&tls.Config{Certificates: issued(t, foreign, "shop"), RootCAs: ours.pool()}), false},
		{"one without a certificate", credentials.NewTLS(&tls.Config{RootCAs: ours.pool()}), false},
		{"one without TLS", insecure.NewCredentials(), false},
		{"one that trusts another authority", credentials.NewTLS(&tls.Config{Certificates: issued(t, ours, "shop"), RootCAs: foreign.pool()}), false},
	} {
		conn := dial(t, addr, grpc.WithTransportCredentials(c.credentials), grpc.WithDisableRetry())
		p := newClient(t, "stock", conn, nil)
		b := newBranch("stock", take(0))
		err := as[participant.Preparer](t, p).Prepare(ctx, b)
		if (err == nil) != c.taken || !c.taken && status.Code(err) != codes.Unavailable {
			t.Errorf("%s: %v", c.who, err)
		}
		if ids, err := stock.InDoubt(ctx, b.Coordinator); err != nil || (len(ids) == 1) != c.taken {
			t.Errorf("%s: %d branches are prepared, %v", c.who, len(ids), err)
		}
		if c.taken {
			must(t, p.Rollback(ctx, b))
		}
	}
}
