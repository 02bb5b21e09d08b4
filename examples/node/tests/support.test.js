import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import { Outlook } from "../outlook.js";
import { confirmRequests } from "../support.js";
import { newMailbox } from "./emulator.js";

const outlookAt = (url) => new Outlook(url, async () => "anything");

test("each request is confirmed once", async (t) => {
  const mailbox = await newMailbox(t);
  await mailbox.deliver({ from: "ann@example.net", subject: "Support: it <hangs>" });
  await mailbox.deliver({ from: "bob@example.net", subject: "Lunch?" });
  const outlook = outlookAt(mailbox.url);

  assert.deepEqual([await confirmRequests(outlook), await confirmRequests(outlook)], [1, 0]);

  const [mail, ...others] = await mailbox.outbox();
  assert.deepEqual([mail.recipients, mail.subject], [["ann@example.net"], "RE: Support: it <hangs>"]);
  assert.match(mail.text, /We received "Support: it <hangs>"\./);
  assert.deepEqual(others, []);
});

test("a reply whose response is lost is not sent twice", async (t) => {
  const mailbox = await newMailbox(t);
  await mailbox.deliver({ from: "ann@example.net", subject: "Support" });
  await mailbox.addFault({
    match: { operation: "ReplyToV2" }, when: { nth: 1 }, effect: { fault: "timeout-504-after" },
  });
  const outlook = outlookAt(mailbox.url);

  await assert.rejects(confirmRequests(outlook), /504/);
  assert.equal(await confirmRequests(outlook), 0);

  assert.equal((await mailbox.outbox()).length, 1);
});

test("the program", async (t) => {
  const mailbox = await newMailbox(t);
  await mailbox.deliver({ from: "ann@example.net", subject: "Support" });
  const env = { ...process.env, OUTLOOK_CONNECTION_URL: mailbox.url };

  const { stdout } = await promisify(execFile)(process.execPath, ["main.js"], { env });

  assert.equal(stdout, "Confirmed 1 requests.\n");
});
