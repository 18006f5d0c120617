// Package participantpb is the gRPC service by which a coordinator calls
// participants in another process, generated from service.proto.
//
// Go programs use package grpcbranch, which serves any participant.Participant
// and makes one of a connection. A service in another language implements
// service.proto, which imports dtc.proto of package messages as
// dtc/v1/dtc.proto; so does a Go service that wants to speak the messages itself.
package participantpb

//go:generate go run ../internal/generate
