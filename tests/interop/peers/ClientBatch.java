import java.nio.file.*;
import java.util.Properties;
import org.apache.pulsar.client.cli.PulsarClientTool;

/** Runs each line of a file as one pulsar-client command, all in one JVM. Arguments: broker URL, file. */
public class ClientBatch {
  public static void main(String[] args) throws Exception {
    Properties settings = new Properties();
    settings.setProperty("brokerServiceUrl", args[0]);
    for (String line : Files.readAllLines(Path.of(args[1]))) {
      if (line.isBlank()) continue;
      System.out.println("$ " + line);
      int code = new PulsarClientTool(settings).run(line.trim().split(" "));
      System.err.flush();
      System.out.println("exit " + code);
      System.out.flush();
    }
    System.exit(0);
  }
}
