package kafka_test

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-d36415c0/dtc/participant"
	"github.com/seed-d36415c0/dtc/participant/outbox"
	"github.com/seed-d36415c0/dtc/participant/outbox/kafka"
)

func Example() {
	brokers, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "orders"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer brokers.Close()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers.ListenAddrs()...))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	publisher, err := kafka.New(client)
	if err != nil {
		fmt.Println(err)
		return
	}
	events, err := outbox.New("events", publisher, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	placed, err := outbox.Encode(outbox.Message{Subject: "orders", Key: []byte("17"), Data: []byte("order 17 was placed")})
	if err != nil {
		fmt.Println(err)
		return
	}

	// What a coordinator does with a branch:
	b := participant.Branch{Transaction: uuid.Must(uuid.NewV7()), Participant: events.Name(), Payload: placed}
	fmt.Println(events.Prepare(context.Background(), b))
	fmt.Println(events.Commit(context.Background(), b))
	fmt.Println(brokers.PartitionInfo("orders", 0).HighWatermark)
	// Output:
	// <nil>
	// <nil>
	// 1
}
