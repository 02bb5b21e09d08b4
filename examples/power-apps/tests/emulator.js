/** The emulator, as tests use it: each test gets a sandbox of its own, with one mailbox. */
import { randomUUID } from "node:crypto";

const EMULATOR = process.env.OUTLOOK_EMULATOR_URL;

export async function newMailbox(test) {
  if (!EMULATOR) throw new Error("OUTLOOK_EMULATOR_URL is not set: run outlook-emulator exec -- npm test");
  const sandbox = `power-apps-${randomUUID()}`;
  const admin = async (method, path, body) => {
    const response = await fetch(`${EMULATOR}/_emulator/api/sandboxes${path}`, {
      method,
      body: body && JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response.status === 204 ? undefined : response.json();
  };
  await admin("POST", "", { name: sandbox, connections: [{ id: sandbox, address: "ann@example.com" }] });
  test.after(() => admin("DELETE", `/${sandbox}`));
  return {
    url: EMULATOR,
    connection: sandbox,
    addFault: (rule) => admin("POST", `/${sandbox}/faults`, { faults: [rule] }),
    outbox: async () => (await admin("GET", `/${sandbox}/outbox`)).value,
  };
}
