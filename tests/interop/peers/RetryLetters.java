import java.util.concurrent.TimeUnit;
import org.apache.pulsar.client.api.Consumer;
import org.apache.pulsar.client.api.DeadLetterPolicy;
import org.apache.pulsar.client.api.Message;
import org.apache.pulsar.client.api.Producer;
import org.apache.pulsar.client.api.PulsarClient;
import org.apache.pulsar.client.api.Schema;
import org.apache.pulsar.client.api.SubscriptionInitialPosition;
import org.apache.pulsar.client.api.SubscriptionType;

// RetryLetters URL TOPIC COUNT: sends strings, reads each three times by reconsumeLater, then as a dead letter.
// Prints "retries VALUE TIMES" for each reading and "dead VALUE" at its end.
public class RetryLetters {
    public static void main(String[] args) throws Exception {
        String topic = args[1];
        int count = Integer.parseInt(args[2]);
        DeadLetterPolicy policy = DeadLetterPolicy.builder()
                .maxRedeliverCount(2)
                .retryLetterTopic(topic + "-retry")
                .deadLetterTopic(topic + "-dead")
                .initialSubscriptionName("dead")
                .build();
        try (PulsarClient client = PulsarClient.builder().serviceUrl(args[0]).build();
                Consumer<String> consumer = client.newConsumer(Schema.STRING)
                        .topic(topic)
                        .subscriptionName("java")
                        .subscriptionType(SubscriptionType.Shared)
                        .subscriptionInitialPosition(SubscriptionInitialPosition.Earliest)
                        .enableRetry(true)
                        .deadLetterPolicy(policy)
                        .subscribe();
                Producer<String> producer = client.newProducer(Schema.STRING).topic(topic).create()) {
            for (int i = 0; i < count; i++) {
                producer.send("m" + i);
            }
            for (int i = 0; i < 3 * count; i++) {
                Message<String> message = next(consumer);
                System.out.println("retries " + message.getValue() + " "
                        + message.getProperties().getOrDefault("RECONSUMETIMES", "0"));
                consumer.reconsumeLater(message, 100, TimeUnit.MILLISECONDS);
            }
            try (Consumer<byte[]> dead = client.newConsumer()
                    .topic(topic + "-dead").subscriptionName("dead").subscribe()) {
                for (int i = 0; i < count; i++) {
                    Message<byte[]> message = next(dead);
                    System.out.println("dead " + new String(message.getData()));
                    dead.acknowledge(message);
                }
            }
        }
        System.exit(0);
    }

    private static <T> Message<T> next(Consumer<T> consumer) throws Exception {
        Message<T> message = consumer.receive(30, TimeUnit.SECONDS);
        if (message == null) {
            throw new IllegalStateException("nothing came");
        }
        return message;
    }
}
