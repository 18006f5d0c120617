package simulator

import (
	"reflect"
)

// Report is what has been counted.
type Report struct {
	Runs               uint64 `json:"runs"`
	Events             uint64 `json:"events"`
	Effects            uint64 `json:"effects_before_which_a_node_can_crash"`
	Transactions       uint64 `json:"transactions"`
	Committed          uint64 `json:"committed"`
	RolledBack         uint64 `json:"rolled_back"`
	Parked             uint64 `json:"parked"`
	TakenUp            uint64 `json:"taken_up_again"`
	Crashes            uint64 `json:"coordinator_crashes"`
	PowerLosses        uint64 `json:"of_these_with_power_loss"`
	ParticipantCrashes uint64 `json:"participant_crashes"`
	TakeOvers          uint64 `json:"journals_taken_over_by_another_owner"`
	Panics             uint64 `json:"actors_that_panicked"`
	Messages           uint64 `json:"messages"`
	MessagesLost       uint64 `json:"messages_lost"`
	MessagesRepeated   uint64 `json:"messages_duplicated"`
	Hangs              uint64 `json:"calls_that_hung"`
	Forced             uint64 `json:"records_forced"`
	Syncs              uint64 `json:"syncs"`
	FailedSyncs        uint64 `json:"failed_syncs"`
	RecordsLost        uint64 `json:"records_lost"`
	Resolved           uint64 `json:"branches_in_doubt_resolved"`
	Inquiries          uint64 `json:"inquiries"`
	Settled            uint64 `json:"settled_by_hand"`
	Posted             uint64 `json:"posted_enlistments"`
	Expired            uint64 `json:"outcomes_expired"`
	Violations         uint64 `json:"violations"`
}

// Add adds what another run has counted.
func (r *Report) Add(other *Report) {
	to, from := reflect.ValueOf(r).Elem(), reflect.ValueOf(other).Elem()
	for i := range to.NumField() {
		to.Field(i).SetUint(to.Field(i).Uint() + from.Field(i).Uint())
	}
}
