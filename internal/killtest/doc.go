// Package killtest kills a coordinator and its participants, each in a process of
// its own, again and again, and audits what is left. There is no code in it to
// import.
//
// Two banks and a notary are services on sockets. A coordinator moves money
// between the banks, and has the notary sign. Four lives go on side by side: each
// process is started, killed with kill -9, left dead for a while and started
// again. Half of the time the moment is drawn, and half of the time it is a named
// point: the process kills itself there, before or after an effect, an answer, a
// write, a sync, or a step of the coordinator.
//
// After every round all four are killed at once, everything is brought up again
// and recovers, and the participants' own files are audited: no money is lost or
// made, every transfer is done by all or by none, once, nobody is left prepared,
// and what the application was told is so.
package killtest
