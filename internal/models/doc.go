// Package models holds models of the protocol in Promela, the language of the
// model checker Spin, and the test that checks them. There is no code in it to
// import.
//
// A model is small enough to be searched in full: every order in which messages
// arrive, every crash and every failure at every moment. It is written from the
// design and not generated from the code, so that it is a second opinion; each
// step carries the name of what it stands for. The search of package protocol
// does the same for the code, and sees less of what surrounds it.
//
// A model that finds nothing wrong might be looking nowhere. So each has mistakes
// planted in it, one of which can be switched on, and the test asks for every one
// of them to be found.
package models
