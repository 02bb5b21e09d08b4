import assert from "node:assert/strict";
import { test } from "node:test";
import { useEmulator } from "../src/emulator-bridge.js";
import { askForDaysOff } from "../src/holidays.js";
import { newMailbox } from "./emulator.js";

// The library keeps the connections of its first call, so the tests share a mailbox.
test("days off", async (t) => {
  const mailbox = await newMailbox(t);
  useEmulator(mailbox.url, { outlook: mailbox.connection });

  await t.test("the manager gets a mail", async () => {
    const text = await askForDaysOff("boss@example.net", "1 May", "3 May");

    assert.equal(text, "Your request went to boss@example.net.");
    const subjects = (await mailbox.outbox()).map((mail) => mail.subject);
    assert.deepEqual(subjects, ["Days off from 1 May to 3 May"]);
  });

  await t.test("the user is told when the connection is throttled", async () => {
    await mailbox.addFault({ match: { operation: "SendEmailV2" }, effect: { fault: "throttled" } });

    const text = await askForDaysOff("boss@example.net", "4 May", "5 May");

    assert.equal(text, "Too many requests. Try again in a minute.");
  });
});
