package remote_test

import (
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/seed-d36415c0/dtc/participant/remote"
)

func TestListen_RefusesWhatCannotBe(t *testing.T) {
	ca := newAuthority(t)
	good := ca.config(t, "127.0.0.1")
	with := func(change func(*tls.Config)) *tls.Config {
		c := good.Clone()
		change(c)
		return c
	}
	for want, c := range map[string]remote.Config{
		"Config.TLS: is not set: set it, or Insecure": {},
		"Config.Insecure is true: TLS is set too":     {TLS: good, Insecure: true},
		"Config.MaxMessage is 1000":                   {Insecure: true, MaxMessage: 1000},
		"Config.MaxCalls is -1":                       {Insecure: true, MaxCalls: -1},
		"Config.MaxWaiting is -1":                     {Insecure: true, MaxWaiting: -1},
		"Config.CallTimeout is -1ns":                  {Insecure: true, CallTimeout: -1},
		"Config.Address is here: must be host:port":   {Insecure: true, Address: "here"},
		"Config.Address is a:b: the port":             {Insecure: true, Address: "a:b"},
		"Config.Address is unix:///x:1":               {Insecure: true, Address: "unix:///x:1"},
		"Config.Advertise: must be set, as Address":   {Insecure: true, Address: "0.0.0.0:0"},
		"Config.Advertise: must be set":               {Insecure: true, Address: "[::]:7000"},
		"Config.Advertise is a:0: the port":           {Insecure: true, Advertise: "a:0"},
		"Config.Advertise is :7000: names no":         {Insecure: true, Advertise: ":7000"},
		"Config.TLS.ClientCAs: is not set":            {TLS: with(func(c *tls.Config) { c.ClientCAs = nil })},
		"Config.TLS.ClientAuth: must be":              {TLS: with(func(c *tls.Config) { c.ClientAuth = tls.RequestClientCert })},
		"Config.TLS.InsecureSkipVerify: must":         {TLS: with(func(c *tls.Config) { c.InsecureSkipVerify = true })},
		"Config.TLS.GetConfigForClient: must": {TLS: with(func(c *tls.Config) {
			c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return nil, nil }
		})},
		"Config.TLS.Certificates: is empty":                                       {TLS: with(func(c *tls.Config) { c.Certificates = nil })},
		"Config.TLS.Certificates: not good for the advertised address stock:7000": {TLS: good, Advertise: "stock:7000"},
	} {
		n, err := remote.Listen(quietSystem(), c)
		var refused *remote.ConfigError
		if !errors.As(err, &refused) || !strings.HasPrefix(err.Error(), "remote: "+want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("want %q, got %v", want, err)
		}
		if n != nil {
			_ = n.Close()
		}
	}
}

func TestListen_Addresses(t *testing.T) {
	if n := plain(t); !strings.HasPrefix(n.Address(), "127.0.0.1:") {
		t.Errorf("by itself it is at %s", n.Address())
	}
	n := listen(t, quietSystem(), remote.Config{Insecure: true, Address: "0.0.0.0:0", Advertise: "stock.example:7000"})
	if n.Address() != "stock.example:7000" {
		t.Errorf("it advertises %s", n.Address())
	}
	free, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip("no IPv6 here:", err)
	}
	_ = free.Close()
	n = listen(t, quietSystem(), remote.Config{Insecure: true, Address: "[::1]:0"})
	if !strings.HasPrefix(n.Address(), "[::1]:") {
		t.Errorf("over IPv6 it is at %s", n.Address())
	}
}

// An address that is taken is an error, after which the system can listen
// elsewhere; a system that has listened cannot do so again.
func TestListen_Taken(t *testing.T) {
	first, system := plain(t), quietSystem()
	_, err := remote.Listen(system, remote.Config{Insecure: true, Address: first.Address()})
	var taken *remote.ListenError
	if !errors.As(err, &taken) || taken.Address != first.Address() {
		t.Errorf("the same address: %v", err)
	}
	n := listen(t, system, remote.Config{Insecure: true})
	for range 2 {
		var used *remote.InUseError
		if _, err := remote.Listen(system, remote.Config{Insecure: true}); !errors.As(err, &used) || used.Address != n.Address() {
			t.Errorf("the same system: %v", err)
		}
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}
	eventually(t, "the port is free after Close", func() bool {
		again, err := remote.Listen(quietSystem(), remote.Config{Insecure: true, Address: n.Address()})
		return err == nil && again.Close() == nil
	})
}
