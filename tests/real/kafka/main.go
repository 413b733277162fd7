// A Kafka broker in memory, on loopback: kafka PORT TOPIC prints "ready", then a line for each message: key, value, in base64.
package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"log"
	"os"
	"strconv"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

func main() {
	port, err := strconv.Atoi(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	broker, err := kfake.NewCluster(kfake.Ports(port), kfake.SeedTopics(3, os.Args[2]), kfake.BrokerConfigs(map[string]string{"message.max.bytes": "67108864"}))
	if err != nil {
		log.Fatal(err)
	}
	defer broker.Close()
	client, err := kgo.NewClient(
		kgo.SeedBrokers(broker.ListenAddrs()...), kgo.ConsumeTopics(os.Args[2]), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	fmt.Println("ready")
	for {
		fetched := client.PollFetches(context.Background())
		if err := fetched.Err(); err != nil {
			log.Fatal(err)
		}
		fetched.EachRecord(func(r *kgo.Record) {
			fmt.Println(base64.StdEncoding.EncodeToString(r.Key), base64.StdEncoding.EncodeToString(r.Value))
		})
	}
}
