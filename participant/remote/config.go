package remote

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// Config is how a node listens and connects. Its zero value is refused: either TLS
// must be set, or Insecure.
type Config struct {
	// Address is where to listen, as host:port; port 0 takes a free one. Defaults to
	// 127.0.0.1:0, which only processes of the same machine reach.
	Address string
	// Advertise is the address at which others reach the node, as host:port. Defaults
	// to Address; required where that is no single host, as with 0.0.0.0.
	Advertise string

	// TLS is used in both directions: Certificates (or GetCertificate and
	// GetClientCertificate) are shown to those who connect and to those who are
	// connected to; ClientCAs says who may connect; RootCAs says to whom the node
	// connects, and defaults to ClientCAs. The certificate must be good for server
	// and client authentication, and for the host of the advertised address, or for
	// ServerName if that is set on both sides: then nothing ties a peer to its
	// address, and whoever has such a certificate may advertise any. Clients must show
	// a certificate whatever ClientAuth says. MinVersion defaults to TLS 1.3. The value
	// is copied.
	TLS *tls.Config
	// Insecure allows a node without TLS: everything is readable, and whoever
	// reaches the port can decide about every branch that is served. Defaults to
	// false; not allowed together with TLS.
	Insecure bool

	// MaxMessage is how many bytes are sent or taken in one piece. A branch's payload
	// may have 64 KiB less, so the coordinator's MaxPayload must be below that: a
	// branch that is larger cannot be told its Rollback either, and its transaction
	// waits until the limit is raised. It must be the same on both sides: what is more
	// than the other side takes ends the connection, with what else was on its way.
	// Defaults to 4 MiB, at least 128 KiB.
	MaxMessage int

	// MaxCalls is how many calls run at one served participant at a time, if it is not
	// NonBlocking; others wait. Defaults to 128.
	MaxCalls int
	// MaxWaiting is how many branches may wait at one served participant. Defaults to
	// 4096.
	MaxWaiting int
	// CallTimeout is the time for one call of a served participant; a Prepare has no
	// longer than until it expires. It should be no less than the coordinator's
	// ParticipantTimeout. Defaults to 1 minute.
	CallTimeout time.Duration
}

// leastMessage is the least MaxMessage.
const leastMessage = 128 << 10

// withDefaults returns the configuration with every field set but Advertise.
func (c Config) withDefaults() Config {
	c.MaxMessage = cmp.Or(c.MaxMessage, 4<<20)
	c.MaxCalls = cmp.Or(c.MaxCalls, 128)
	c.MaxWaiting = cmp.Or(c.MaxWaiting, 4096)
	c.CallTimeout = cmp.Or(c.CallTimeout, time.Minute)
	c.Address = cmp.Or(c.Address, "127.0.0.1:0")
	if c.TLS != nil {
		c.TLS = withBothDirections(c.TLS)
	}
	return c
}

// withBothDirections returns a copy with what a node insists on.
func withBothDirections(t *tls.Config) *tls.Config {
	t = t.Clone()
	if t.ClientAuth == tls.NoClientCert {
		t.ClientAuth = tls.RequireAndVerifyClientCert
	}
	if t.RootCAs == nil {
		t.RootCAs = t.ClientCAs
	}
	if t.MinVersion == 0 {
		t.MinVersion = tls.VersionTLS13
	}
	return t
}

// validate refuses what cannot be used; c has its defaults.
func (c Config) validate() error {
	switch {
	case c.TLS == nil && !c.Insecure:
		return &ConfigError{"TLS", nil, "is not set: set it, or Insecure to do without"}
	case c.TLS != nil && c.Insecure:
		return &ConfigError{"Insecure", true, "TLS is set too: unset one of them"}
	case c.MaxMessage < leastMessage:
		return &ConfigError{"MaxMessage", c.MaxMessage, fmt.Sprintf("must be at least %d", leastMessage)}
	case c.MaxCalls < 1:
		return &ConfigError{"MaxCalls", c.MaxCalls, "must be at least 1"}
	case c.MaxWaiting < 1:
		return &ConfigError{"MaxWaiting", c.MaxWaiting, "must be at least 1"}
	case c.CallTimeout < 0:
		return &ConfigError{"CallTimeout", c.CallTimeout, "must be positive"}
	}
	if err := c.validateAddresses(); err != nil || c.TLS == nil {
		return err
	}
	return c.validateTLS()
}

func (c Config) validateAddresses() error {
	if err := checkAddress(c.Address, 0); err != nil {
		return &ConfigError{"Address", c.Address, err.Error()}
	}
	if c.Advertise == "" {
		if host, _, _ := net.SplitHostPort(c.Address); everywhere(host) {
			return &ConfigError{"Advertise", nil, fmt.Sprintf("must be set, as Address is %s and names no single host", c.Address)}
		}
		return nil
	}
	if err := checkAddress(c.Advertise, 1); err != nil {
		return &ConfigError{"Advertise", c.Advertise, err.Error()}
	}
	if host, _, _ := net.SplitHostPort(c.Advertise); everywhere(host) {
		return &ConfigError{"Advertise", c.Advertise, "names no single host"}
	}
	return nil
}

// advertised is the address that others are told, of a node that listens there.
func (c Config) advertised(listens net.Addr) string {
	if c.Advertise != "" {
		return c.Advertise
	}
	host, _, _ := net.SplitHostPort(c.Address)
	_, port, _ := net.SplitHostPort(listens.String())
	return net.JoinHostPort(host, port)
}

// everywhere tells whether the host is that of no machine.
func everywhere(host string) bool {
	ip := net.ParseIP(host)
	return host == "" || ip != nil && ip.IsUnspecified()
}

func (c Config) validateTLS() error {
	refuse := func(field, reason string) error { return &ConfigError{"TLS." + field, nil, reason} }
	switch {
	case c.TLS.ClientCAs == nil:
		return refuse("ClientCAs", "is not set: it says whose certificates are accepted")
	case c.TLS.ClientAuth != tls.RequireAndVerifyClientCert:
		return refuse("ClientAuth", "must be RequireAndVerifyClientCert, or unset")
	case c.TLS.InsecureSkipVerify:
		return refuse("InsecureSkipVerify", "must be false: both sides verify")
	case c.TLS.GetConfigForClient != nil:
		return refuse("GetConfigForClient", "must be nil: it could let in callers without a certificate")
	case len(c.TLS.Certificates) == 0 && (c.TLS.GetCertificate == nil || c.TLS.GetClientCertificate == nil):
		return refuse("Certificates", "is empty: set it, or both GetCertificate and GetClientCertificate")
	}
	return c.validateOwn()
}

// validateOwn refuses a certificate that others will not accept for the node's
// advertised address. Those that callbacks return are not checked.
func (c Config) validateOwn() error {
	if len(c.TLS.Certificates) == 0 || len(c.TLS.Certificates[0].Certificate) == 0 {
		return nil
	}
	address := cmp.Or(c.Advertise, c.Address)
	leaf, err := x509.ParseCertificate(c.TLS.Certificates[0].Certificate[0])
	if err == nil {
		err = leaf.VerifyHostname(c.nameOf(address))
	}
	if err != nil {
		return &ConfigError{"TLS.Certificates", nil, fmt.Sprintf("not good for the advertised address %s: %v", address, err)}
	}
	return nil
}

// nameOf is the name that the certificate of the node at the address must have.
func (c Config) nameOf(address string) string {
	if c.TLS.ServerName != "" {
		return c.TLS.ServerName
	}
	host, _, _ := net.SplitHostPort(address)
	return host
}

// maxAddress is the length of the longest host name, and a port.
const maxAddress = 255 + 6

// checkAddress refuses what is not host:port with a port of at least least.
// Libraries take other things for addresses too, such as paths of sockets.
func checkAddress(address string, least int) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("must be host:port: %w", err)
	}
	if n, err := strconv.Atoi(port); err != nil || n < least || n > 65535 {
		return fmt.Errorf("the port must be a number from %d to 65535", least)
	}
	odd := func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`/\"@?#`, r) }
	if len(address) > maxAddress || strings.ContainsFunc(host, odd) {
		return fmt.Errorf("the host is not a name or an IP address")
	}
	return nil
}
