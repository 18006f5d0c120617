// Package grpcbranch calls participants in another process over gRPC, with the
// messages of dtc.proto: the service is participantpb.ParticipantService.
//
// A program that has participants serves them, any that there are, by name:
//
//	server := grpc.NewServer(append(grpcbranch.ServerOptions(), grpc.Creds(serverTLS))...)
//	err := grpcbranch.Register(server, nil, stock, money)
//	err = server.Serve(listener)
//
// The coordinator's program makes participants of a connection, and enlists them
// like any other:
//
//	conn, err := grpc.NewClient("stock.example:7070", append(grpcbranch.DialOptions(), grpc.WithTransportCredentials(clientTLS))...)
//	stock, err := grpcbranch.New("stock", conn, &grpcbranch.Options{Recoverer: true})
//	err = tx.Enlist(ctx, stock, payload)
//
// The connection is the caller's: many participants may share it, and to close it
// ends none of them for good. A service in another language implements
// participantpb/service.proto.
//
// # What it guarantees
//
// The three promises of package participant are those of the participant that is
// served; nothing is kept here. Between the two:
//
//   - Nil from Commit says that the service has answered that it is done. What
//     became of a branch is told by answers alone: no status code and no lost
//     connection is ever taken for participant.ErrRolledBack, so that a
//     CommitOnePhase whose answer is lost is asked about.
//   - An answer counts if it repeats the transaction, participant and attempt of its
//     question and does not contradict itself; else it is an [*AnswerError]. A
//     vote that is not known is a no.
//   - The service makes the calls of one branch one at a time, duplicates too, and
//     those of a participant.NonBlocking participant one at a time altogether. A
//     call goes on in the service while its caller is gone, with a context that has
//     ended, and the branch's next one waits for it.
//   - A Prepare that comes when its time is up is refused. The deadline of a call is
//     that of its context, in the service too.
//   - A panic of the participant is the status INTERNAL, and a line with the stack
//     in the service's log. It ends nothing else.
//   - Before it begins a branch, a client asks once what the participant can do, and
//     refuses with a [*KindError] if that is not what its [Options] say: nobody
//     could recover a branch of a participant that was wrongly taken for a
//     Recoverer.
//
// Several processes may serve a participant of one name behind a balancer if it
// keeps its promises across them, in a database say: calls of a branch then come in
// order only as far as it sees to that.
//
// # Status codes
//
// A service of this package answers a refusal with OK and the reason. Others may
// use codes, and proxies make them. After any of them Prepare is a failure, which
// rolls the transaction back, Commit and Rollback come again, and CommitOnePhase is
// asked about. What the codes add is in [CallError.Final]:
//
//	INVALID_ARGUMENT FAILED_PRECONDITION OUT_OF_RANGE      final: the branch cannot be
//	NOT_FOUND ALREADY_EXISTS                               done, here or in this state
//	UNIMPLEMENTED PERMISSION_DENIED UNAUTHENTICATED        final: nobody took the call
//	UNAVAILABLE DEADLINE_EXCEEDED CANCELLED ABORTED        unknown: it may have taken effect;
//	RESOURCE_EXHAUSTED INTERNAL UNKNOWN DATA_LOSS, others  the same again may go better
//
// # What the operator sets
//
//   - Credentials. There is no default: without any, grpc.NewClient fails. Who can
//     call the service can commit and roll back every branch, so ask for client
//     certificates (tls.RequireAndVerifyClientCert, as the example does); which
//     coordinator may have which participant is for an interceptor to say, all
//     requests name both.
//   - [DialOptions] and [ServerOptions], which belong together: a peer that has
//     vanished is noticed in 15 s, and one that is back is called within 3.
//   - Sizes. A server takes messages of up to 4 MiB (grpc.MaxRecvMsgSize), and a
//     branch needs its payload and some 300 bytes: keep Config.MaxPayload below
//     that. One that is larger is refused, and as its Rollback is too large as well, its
//     transaction waits until the server takes it. A client takes answers of up to
//     4 MiB, and of 64 MiB from InDoubt: 3.7 million branches.
//   - Clocks. Prepare carries the instant when its time is up. A service whose clock
//     is ahead of the coordinator's by more than Config.ParticipantTimeout refuses
//     all, and says so in the reason.
//   - grpc.MaxConcurrentStreams of the server, where callers are not trusted to be
//     few: calls that wait for their branch are kept until their deadline.
//
// There are no tables and no files. Questions of a participant in doubt (Inquire)
// do not go over this service; a Recoverer is asked instead.
package grpcbranch
