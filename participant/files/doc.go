// Package files is a participant whose branches change files under a directory:
// all of a branch's files are replaced, added and removed when the transaction
// commits, and none when it does not.
//
//	site, err := files.Open("site", "/srv/site", nil)
//	err = coordinator.Run(ctx, nil, func(tx *dtc.Tx) error {
//		if err := tx.Enlist(ctx, site, nil); err != nil { return err }
//		branch, err := site.Begin(ctx, tx.ID())
//		if err != nil { return err }
//		if err := branch.WriteFile("index.html", page, 0o644); err != nil { return err }
//		return branch.Remove("old.html")
//	})
//
// Who enlists first is sure that the branch is rolled back with the transaction,
// whatever happens between. A branch that was begun and never enlisted is given
// up after Options.Lifetime. Instead, work can come as a payload, the encoding of
// [Payload], and is then done when the branch is prepared:
//
//	coordinator.Execute(ctx, nil,
//		dtc.Enlistment{Participant: stock, Payload: …},
//		dtc.Enlistment{Participant: site, Payload: files.Payload{Remove: []string{"old.html"}}.Encode()})
//
// Paths are slash-separated and relative to the directory, as fs.ValidPath wants
// them. No path leads out of the directory, or through a symbolic link: what is
// changed or read is named by its own path.
//
// # What it guarantees
//
//   - New content is written beside the old, in the directory [Dir] within the
//     tree, and synced. Prepare forces one record that says what is to be done.
//     Commit forces the decision, renames each file into its place, syncs the
//     directories and forces that it is done. A crash between any two of these is
//     made good by the next Open or the next call: a branch whose commit was
//     begun is finished, any other is as it was. kill -9 and power loss are
//     survived as far as the disk keeps what it synced.
//   - Two branches do not change the same path: the second is refused at once with
//     a [*ConflictError], until the first is decided, also after a restart. What
//     is above a changed path cannot be removed, and what is below a removed
//     directory cannot be written.
//   - [Branch.Expect] says what a file must be when the branch is prepared, and
//     keeps it so until the branch is decided. Who expects what it has read loses
//     no other branch's update, and none that was made in another way before
//     Prepare.
//   - What became of a branch is remembered: see Bounds.
//
// # What it does not
//
//   - Readers see each file whole, old or new, but not the set at once: between
//     the first rename and the last, others see some files new and some old. For
//     a set that changes in one moment, write it into a new directory and let a
//     symbolic link point there, with [Branch.Symlink]: one rename switches it,
//     and who reads through the link sees the old set or the new one.
//   - Branches do not lock what they only read; Expect does.
//   - Those who write into the directory without this package are not kept out.
//     What they change after Prepare, Commit replaces. A directory that they put
//     something into stays where a branch removes it. Where they leave a directory
//     in a file's place, take a parent directory away, or its permissions, Commit
//     fails, and is repeated until that is undone; [Tree.Pending] lists the paths.
//     They must leave [Dir] alone: a staged file that is lost before Commit is
//     noticed ([*LostError]), and while Commit is under way it is not.
//   - A file that is replaced is a new file: owner and permissions are those of a
//     new one, other hard links keep the old content.
//   - Directories are made, removed when empty, and not renamed.
//   - Where a file system takes two spellings for one name, as in upper and lower
//     case, branches that use both do not see each other.
//   - Prepare finds out what it can: parent directories, what is at each path,
//     permissions, sticky directories, other mounts, and room for the content,
//     which is there already. It does not see immutable files, quotas on names, or
//     what a security module forbids: Commit then fails, and is repeated.
//   - A sync of a directory that fails is never repeated, as it may then report
//     success without having written anything: the tree refuses further work with
//     [ErrFailed], and is to be opened again.
//
// # What the operator must know
//
// [Dir] holds staged files, the log of branches and its lock; its mode is 0700. A
// program that serves the files must not serve it. It must be on the same mount as
// everything that branches write to. Do not back it up without the tree, nor the
// tree without it. A directory is open in one process at a time, others get
// [ErrLocked].
//
// # Bounds
//
// A branch changes at most Options.MaxFiles paths and stages Options.MaxBytes. At
// most Options.MaxOpen branches are begun and neither prepared nor decided; these
// do not survive a restart, and neither do their locks. The state of the latest
// Options.Limit finished branches is remembered. Older ones are dropped by the
// time in their version 7 ids; from then on Prepare and CommitOnePhase of a branch
// that is as old as a dropped one and not held are refused with a
// *participant.ForgottenError. Prepared branches are never dropped.
//
// # Systems
//
// It is made for Unix. On systems without file locks, among them Windows, Open
// fails with errors.ErrUnsupported; there, directories could not be synced either.
package files
