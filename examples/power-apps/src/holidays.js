import { getClient } from "@microsoft/power-apps/data";
import { dataSourcesInfo } from "./dataSourcesInfo.js";

/** Asks a manager for days off; what a button of the app calls. Returns a text for the user. */
export async function askForDaysOff(manager, from, to) {
  const emailMessage = {
    To: manager,
    Subject: `Days off from ${from} to ${to}`,
    Body: `<p>May I take days off from ${from} to ${to}?</p>`,
  };
  const connectorOperation = { tableName: "outlook", operationName: "SendEmailV2", parameters: { emailMessage } };
  const result = await getClient(dataSourcesInfo).executeAsync({ connectorOperation });
  if (result.success) return `Your request went to ${manager}.`;
  return result.error.status === 429 ? "Too many requests. Try again in a minute." : "Your request was not sent.";
}
