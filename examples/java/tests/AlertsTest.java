import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** The tests, without a library; each method becomes a @Test of JUnit as it is. */
public final class AlertsTest {
    public static void main(String[] words) throws Exception {
        AlertsTest tests = new AlertsTest();
        tests.anAlertArrives();
        tests.aThrottledCallIsRepeatedWhenTheConnectorAllowsIt();
        tests.aTimeoutIsNotRepeated();
        System.out.println("3 tests passed");
    }

    void anAlertArrives() throws Exception {
        try (Emulator emulator = new Emulator()) {
            alerts(emulator, new ArrayList<>()).send("ops@example.net", "Disk \"data\" is full", "5 % < 10 %");

            check(count(emulator.outbox(), "Disk \\\"data\\\" is full") > 0, emulator.outbox());
            check(emulator.outbox().contains("5 % < 10 %"), emulator.outbox());
        }
    }

    void aThrottledCallIsRepeatedWhenTheConnectorAllowsIt() throws Exception {
        try (Emulator emulator = new Emulator()) {
            emulator.addFault("throttled", "SendEmailV2");
            List<Duration> waits = new ArrayList<>();

            alerts(emulator, waits).send("ops@example.net", "Disk full", "Now");

            check(waits.equals(List.of(Duration.ofSeconds(60))), waits.toString());
            check(count(emulator.outbox(), "\"recipients\"") == 1, emulator.outbox());
        }
    }

    void aTimeoutIsNotRepeated() throws Exception {
        try (Emulator emulator = new Emulator()) {
            emulator.addFault("timeout-504-after", "SendEmailV2");
            try {
                alerts(emulator, new ArrayList<>()).send("ops@example.net", "Disk full", "Now");
                throw new AssertionError("no exception");
            } catch (IOException error) {
                check(error.getMessage().contains("504"), error.getMessage());
            }
            check(count(emulator.outbox(), "\"recipients\"") == 1, emulator.outbox());
        }
    }

    private static Alerts alerts(Emulator emulator, List<Duration> waits) {
        return new Alerts(emulator.connectionUrl(), () -> "anything", duration -> {
            waits.add(duration);
            emulator.advance(duration);
        });
    }

    private static int count(String text, String part) {
        return text.split(java.util.regex.Pattern.quote(part), -1).length - 1;
    }

    private static void check(boolean holds, String otherwise) {
        if (!holds) {
            throw new AssertionError(otherwise);
        }
    }
}
