/** A small client of the Outlook.com connector. */
export class Outlook {
  /**
   * @param {string} url the connection runtime URL
   * @param {() => Promise<string>} getToken returns a token for https://apihub.azure.com
   */
  constructor(url, getToken) {
    this.url = url;
    this.getToken = getToken;
  }

  /** @returns {Promise<object[]>} the newest unread mails of the inbox whose subject contains a text */
  async unread(subject) {
    const query = new URLSearchParams({ fetchOnlyUnread: true, subjectFilter: subject, top: 25 });
    return (await (await this.#call(`/v2/Mail?${query}`)).json()).value;
  }

  async markAsRead(id) {
    await this.#call(`/Mail/MarkAsRead/${encodeURIComponent(id)}`, "POST");
  }

  async reply(id, html) {
    await this.#call(`/v2/Mail/ReplyTo/${encodeURIComponent(id)}`, "POST", { Body: html });
  }

  async #call(path, method = "GET", body = undefined) {
    const headers = { Authorization: `Bearer ${await this.getToken()}` };
    if (body) headers["Content-Type"] = "application/json";
    const response = await fetch(this.url + path, { method, headers, body: body && JSON.stringify(body) });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response;
  }
}
