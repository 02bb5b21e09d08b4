/**
 * Lets a code app call the emulator at `url`; `connections` has the connection id for each name of a data source.
 * Call it before the first use of @microsoft/power-apps.
 */
export function useEmulator(url, connections) {
  const references = Object.entries(connections).map(([dataSource, connectionName]) => [
    dataSource,
    { apiId: "/providers/Microsoft.PowerApps/apis/shared_outlook", runtimeUrl: `${url}/apim/outlook`, connectionName },
  ]);
  const actions = {
    loadAppConnectionsAsync_v2: () => Object.fromEntries(references),
    getAppAccessTokenAsync: () => "anything",
    sendHttpAsync: (request, body) => send(url, request, body),
  };
  globalThis.powerAppsBridge = {
    initialize: async () => {},
    executePluginAsync: async (plugin, action, parameters) => (actions[action] ?? (() => ({})))(...parameters),
  };
}

async function send(url, request, body) {
  const { pathname, search } = new URL(request.url);
  const response = await fetch(`${url}/invoke`, {
    method: "POST",
    headers: {
      ...request.headers,
      Authorization: request.headers.Authorization.replace("paauth", "Bearer"),
      "x-ms-request-method": request.method,
      "x-ms-request-url": pathname + search,
    },
    body: body || undefined,
  });
  const headers = Object.fromEntries([...response.headers].map(([name, value]) => [spelled(name), value]));
  const answer = { status: response.status, headers };
  if (!response.ok) {
    throw [[await response.text(), undefined, answer]];
  }
  return [answer, await response.arrayBuffer()];
}

/** The library looks headers up as the player spells them, such as Content-Type. */
function spelled(name) {
  return name.startsWith("x-ms-") ? name : name.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());
}
