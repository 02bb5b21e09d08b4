import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.function.Supplier;

/** Sends alerts by mail over the Outlook.com connector, and waits as long as the connector asks when it is throttled. */
public final class Alerts {
    /** How to wait: {@code Thread.sleep} in production, the clock of the emulator in tests. */
    public interface Sleeper {
        void sleep(Duration duration) throws InterruptedException;
    }

    private static final int ATTEMPTS = 3;

    private final HttpClient http = HttpClient.newHttpClient();
    private final URI mail;
    private final Supplier<String> token;
    private final Sleeper sleeper;

    /** For a connection runtime URL, and a supplier of tokens for https://apihub.azure.com. */
    public Alerts(String connectionUrl, Supplier<String> token, Sleeper sleeper) {
        this.mail = URI.create(connectionUrl + "/v2/Mail");
        this.token = token;
        this.sleeper = sleeper;
    }

    /** Sends one alert. Throws an IOException if the connector does not accept it. */
    public void send(String to, String subject, String text) throws IOException, InterruptedException {
        String body = "{\"To\": %s, \"Subject\": %s, \"Body\": %s, \"Importance\": \"High\"}"
            .formatted(json(to), json(subject), json("<p>" + html(text) + "</p>"));
        for (int attempt = 1; ; attempt++) {
            HttpRequest request = HttpRequest.newBuilder(mail)
                .header("Authorization", "Bearer " + token.get())
                .header("Content-Type", "application/json")
                .timeout(Duration.ofSeconds(90))
                .POST(BodyPublishers.ofString(body))
                .build();
            HttpResponse<String> response = http.send(request, BodyHandlers.ofString());
            if (response.statusCode() == 200) {
                return;
            }
            // Only 429 says for sure that nothing was sent.
            if (response.statusCode() != 429 || attempt == ATTEMPTS) {
                throw new IOException("the alert was not accepted: " + response.statusCode() + " " + response.body());
            }
            sleeper.sleep(Duration.ofSeconds(response.headers().firstValueAsLong("Retry-After").orElse(60)));
        }
    }

    private static String html(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;");
    }

    private static String json(String text) {
        StringBuilder literal = new StringBuilder("\"");
        for (char character : text.toCharArray()) {
            if (character < ' ' || character == '"' || character == '\\') {
                literal.append("\\u%04x".formatted((int) character));
            } else {
                literal.append(character);
            }
        }
        return literal.append('"').toString();
    }
}
