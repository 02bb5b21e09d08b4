import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Sends the alert on the command line: recipient, subject, text. */
public final class Main {
    private static final Pattern TOKEN = Pattern.compile("\"access_token\"\\s*:\\s*\"([^\"]+)\"");

    public static void main(String[] words) throws Exception {
        Alerts alerts = new Alerts(System.getenv("OUTLOOK_CONNECTION_URL"), Main::token, duration -> Thread.sleep(duration.toMillis()));
        alerts.send(words[0], words[1], words[2]);
        System.out.println("Sent the alert to " + words[0] + ".");
    }

    /** A token from the endpoint that Azure gives to an app with a managed identity; the emulator has one as well. */
    private static String token() {
        String query = "?api-version=2019-08-01&resource=https://apihub.azure.com";
        HttpRequest request = HttpRequest.newBuilder(URI.create(System.getenv("IDENTITY_ENDPOINT") + query))
            .header("X-IDENTITY-HEADER", System.getenv("IDENTITY_HEADER"))
            .build();
        try {
            String body = HttpClient.newHttpClient().send(request, BodyHandlers.ofString()).body();
            Matcher matcher = TOKEN.matcher(body);
            if (!matcher.find()) {
                throw new IllegalStateException("no token: " + body);
            }
            return matcher.group(1);
        } catch (IOException | InterruptedException error) {
            throw new IllegalStateException("no token", error);
        }
    }
}
