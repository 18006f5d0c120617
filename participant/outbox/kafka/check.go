package kafka

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-d36415c0/dtc/participant/outbox"
)

const limitSetting = "max.message.bytes"

// Check implements outbox.Publisher.
func (p *Publisher) Check(ctx context.Context, id string, m outbox.Message) error {
	if err := checkMessage(m); err != nil {
		return err
	}
	if err := p.checkTopic(ctx, m.Subject); err != nil {
		return err
	}
	n := size(record(id, m))
	batch, _ := p.client.OptValue(kgo.ProducerBatchMaxBytesFn).(func(string) int32)
	if limit := int64(batch(m.Subject)); n > limit {
		return &SizeError{Topic: m.Subject, Size: n, Limit: limit, Setting: "ProducerBatchMaxBytes"}
	}
	limit, known, err := p.limit(ctx, m.Subject)
	if err != nil {
		return err
	}
	if known && n > limit {
		return &SizeError{Topic: m.Subject, Size: n, Limit: limit, Setting: limitSetting}
	}
	return nil
}

// checkTopic asks for the topic, and has none made.
func (p *Publisher) checkTopic(ctx context.Context, topic string) error {
	asked := kmsg.NewMetadataRequestTopic()
	asked.Topic = &topic
	request := kmsg.NewPtrMetadataRequest()
	request.Topics = append(request.Topics, asked)
	response, err := request.RequestWith(ctx, p.client)
	if err != nil {
		return fmt.Errorf("kafka: topic %q: %w", topic, err)
	}
	if len(response.Topics) != 1 {
		return fmt.Errorf("kafka: topic %q: the broker told of %d topics", topic, len(response.Topics))
	}
	if err := kerr.ErrorForCode(response.Topics[0].ErrorCode); err != nil {
		return &TopicError{Topic: topic, Err: err}
	}
	for _, partition := range response.Topics[0].Partitions {
		if err := kerr.ErrorForCode(partition.ErrorCode); err != nil && partition.Leader < 0 {
			return &TopicError{Topic: topic, Err: err}
		}
	}
	return nil
}

// limit asks for the largest batch that the topic takes, which is not known where
// the client may not ask.
func (p *Publisher) limit(ctx context.Context, topic string) (limit int64, known bool, err error) {
	asked := kmsg.NewDescribeConfigsRequestResource()
	asked.ResourceType = kmsg.ConfigResourceTypeTopic
	asked.ResourceName = topic
	asked.ConfigNames = []string{limitSetting}
	request := kmsg.NewPtrDescribeConfigsRequest()
	request.Resources = append(request.Resources, asked)
	response, err := request.RequestWith(ctx, p.client)
	if err != nil {
		return 0, false, fmt.Errorf("kafka: settings of topic %q: %w", topic, err)
	}
	for _, resource := range response.Resources {
		err := kerr.ErrorForCode(resource.ErrorCode)
		if errors.Is(err, kerr.TopicAuthorizationFailed) || errors.Is(err, kerr.ClusterAuthorizationFailed) {
			return 0, false, nil
		}
		if err != nil {
			return 0, false, &TopicError{Topic: topic, Err: err}
		}
		for _, c := range resource.Configs {
			if c.Name == limitSetting && c.Value != nil {
				limit, err = strconv.ParseInt(*c.Value, 10, 64)
				return limit, err == nil, err
			}
		}
	}
	return 0, false, nil
}

// size is how many bytes the record has at most, alone in a batch.
func size(r *kgo.Record) int64 {
	const batch, attributes = 61, 1
	numbers := 5 // length, time, offset, and the lengths of key and value
	n := len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		n += len(h.Key) + len(h.Value)
		numbers += 2
	}
	numbers++ // how many headers there are
	return int64(batch + attributes + n + numbers*binary.MaxVarintLen32)
}
