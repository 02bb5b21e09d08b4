import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.UUID;

/** A sandbox of the emulator with one mailbox, for one test; closing it deletes it. */
public final class Emulator implements AutoCloseable {
    private final HttpClient http = HttpClient.newHttpClient();
    private final String server = System.getenv("OUTLOOK_EMULATOR_URL");
    private final String sandbox = "java-" + UUID.randomUUID();

    public Emulator() throws IOException, InterruptedException {
        if (server == null) {
            throw new IllegalStateException("OUTLOOK_EMULATOR_URL is not set: run the tests with outlook-emulator exec");
        }
        admin("POST", "", "{\"name\": \"%s\", \"connections\": [{\"id\": \"%s\"}]}".formatted(sandbox, sandbox));
    }

    /** The connection runtime URL for the code under test. */
    public String connectionUrl() {
        return server + "/apim/outlook/" + sandbox;
    }

    /** Makes the first call to an operation fail. */
    public void addFault(String fault, String operation) throws IOException, InterruptedException {
        String rule = "{\"match\": {\"operation\": \"%s\"}, \"when\": {\"nth\": 1}, \"effect\": {\"fault\": \"%s\"}}";
        admin("POST", "/" + sandbox + "/faults", "{\"faults\": [" + rule.formatted(operation, fault) + "]}");
    }

    /** Moves the clock of the sandbox, in place of waiting. */
    public void advance(Duration duration) {
        try {
            admin("POST", "/" + sandbox + "/clock", "{\"advance\": \"" + duration + "\"}");
        } catch (IOException | InterruptedException error) {
            throw new IllegalStateException(error);
        }
    }

    /** The mails that left the sandbox, as JSON. */
    public String outbox() throws IOException, InterruptedException {
        return admin("GET", "/" + sandbox + "/outbox", "");
    }

    @Override
    public void close() throws IOException, InterruptedException {
        admin("DELETE", "/" + sandbox, "");
    }

    private String admin(String method, String path, String body) throws IOException, InterruptedException {
        HttpRequest request = HttpRequest.newBuilder(URI.create(server + "/_emulator/api/sandboxes" + path))
            .method(method, body.isEmpty() ? BodyPublishers.noBody() : BodyPublishers.ofString(body))
            .build();
        HttpResponse<String> response = http.send(request, BodyHandlers.ofString());
        if (response.statusCode() >= 400) {
            throw new IOException(method + " " + path + ": " + response.statusCode() + " " + response.body());
        }
        return response.body();
    }
}
