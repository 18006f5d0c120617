package messages

import (
	"fmt"
	"time"

	"github.com/google/uuid"
)

// TransactionIDError says that a message names no transaction: its transaction
// field is not 16 bytes long, or the message has no branch.
type TransactionIDError struct {
	// Length of the field, in bytes.
	Length int
}

func (e *TransactionIDError) Error() string {
	return fmt.Sprintf("messages: transaction id of %d bytes, want %d", e.Length, len(uuid.UUID{}))
}

// transactionID reads a transaction field. Every 16 bytes are an id: the check
// for version 7 is the coordinator's, when the transaction begins.
func transactionID(field []byte) (uuid.UUID, error) {
	id, err := uuid.FromBytes(field)
	if err != nil {
		return uuid.Nil, &TransactionIDError{Length: len(field)}
	}
	return id, nil
}

// ID returns the id of the branch's transaction, or a [*TransactionIDError]. It
// may be called on the nil branch of a message that has none.
func (b *Branch) ID() (uuid.UUID, error) { return transactionID(b.GetTransaction()) }

// ID returns the id of the transaction voted on, or a [*TransactionIDError].
func (v *Voted) ID() (uuid.UUID, error) { return transactionID(v.GetTransaction()) }

// ID returns the id of the acknowledged transaction, or a [*TransactionIDError].
func (a *Acked) ID() (uuid.UUID, error) { return transactionID(a.GetTransaction()) }

// ID returns the id of the transaction asked about, or a [*TransactionIDError].
func (i *Inquire) ID() (uuid.UUID, error) { return transactionID(i.GetTransaction()) }

// ID returns the id of the transaction that was asked about, or a
// [*TransactionIDError].
func (d *Decided) ID() (uuid.UUID, error) { return transactionID(d.GetTransaction()) }

// Expired tells whether the message has come too late at the instant now, and
// must be refused.
func (p *Prepare) Expired(now time.Time) bool { return now.UnixMilli() > p.GetExpiresUnixMs() }
