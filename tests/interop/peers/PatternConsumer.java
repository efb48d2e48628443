import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.apache.pulsar.client.api.Consumer;
import org.apache.pulsar.client.api.Message;
import org.apache.pulsar.client.api.PulsarClient;
import org.apache.pulsar.client.api.RegexSubscriptionMode;
import org.apache.pulsar.client.api.SubscriptionInitialPosition;

// PatternConsumer URL PATTERN COUNT: consumes from all topics of a pattern and prints "topic message".
// It polls once an hour, so it hears of new topics only from the broker. "ready" comes first.
public class PatternConsumer {
    public static void main(String[] args) throws Exception {
        int count = Integer.parseInt(args[2]);
        try (PulsarClient client = PulsarClient.builder().serviceUrl(args[0]).build();
                Consumer<byte[]> consumer = client.newConsumer()
                        .topicsPattern(Pattern.compile(args[1]))
                        .subscriptionTopicsMode(RegexSubscriptionMode.PersistentOnly)
                        .patternAutoDiscoveryPeriod(1, TimeUnit.HOURS)
                        .subscriptionInitialPosition(SubscriptionInitialPosition.Earliest)
                        .subscriptionName("java")
                        .subscribe()) {
            System.out.println("ready");
            for (int i = 0; i < count; i++) {
                Message<byte[]> message = consumer.receive(60, TimeUnit.SECONDS);
                if (message == null) {
                    throw new IllegalStateException("nothing came");
                }
                System.out.println(message.getTopicName() + " " + new String(message.getData()));
                consumer.acknowledge(message);
            }
        }
        System.exit(0);
    }
}
