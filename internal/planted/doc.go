// Package planted shows that the tests can see: it plants bugs into the module,
// one at a time, and fails when the tests that are to find one pass.
//
// A bug is an edit of the source, a few words for a few others. It is made in a
// copy that the compiler is given in place of the file (go build -overlay): there
// is no switch in the code under test, and nothing to leave in by mistake. An edit
// whose words are no longer in the file fails at once, so the list keeps up with
// the code.
//
//	go test ./internal/planted                      # the edits still fit
//	go test ./internal/planted -plant -timeout 20m  # and every bug is found
//	go test ./internal/planted -plant -run 'TestPlanted/commit_is_told'
package planted
