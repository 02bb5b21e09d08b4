/** Confirms each unread support request, oldest first, and returns how many were confirmed. */
export async function confirmRequests(outlook) {
  const requests = await outlook.unread("Support");
  for (const request of requests.reverse()) {
    // Before the reply: if the reply fails, nobody gets two.
    await outlook.markAsRead(request.Id);
    await outlook.reply(request.Id, `<p>We received "${escapeHtml(request.Subject)}".</p>`);
  }
  return requests.length;
}

function escapeHtml(text) {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt()};`);
}
