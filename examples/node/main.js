import { Outlook } from "./outlook.js";
import { confirmRequests } from "./support.js";

// The token endpoint of Azure App Service and Azure Functions, which the emulator has as well.
async function getToken() {
  const { IDENTITY_ENDPOINT, IDENTITY_HEADER } = process.env;
  const query = "api-version=2019-08-01&resource=https://apihub.azure.com";
  const response = await fetch(`${IDENTITY_ENDPOINT}?${query}`, { headers: { "X-IDENTITY-HEADER": IDENTITY_HEADER } });
  if (!response.ok) throw new Error(`no token: ${response.status} ${await response.text()}`);
  return (await response.json()).access_token;
}

const count = await confirmRequests(new Outlook(process.env.OUTLOOK_CONNECTION_URL, getToken));
console.log(`Confirmed ${count} requests.`);
