"""The pages under /_emulator/: the sandboxes of this server in a browser.

How to add a page:

1. Write a loader in a module of this folder, a function of a `PageRequest` that returns the values of the template. It
   may be `async`. `await request.admin("ListFaults")` performs an operation of the admin API, `await
   request.connector("GET", connection, "/v2/Mail")` one of the connector, past journal, limits and faults.
2. Write the template in `templates/`. It extends `layout.html`, fills the block `content`, and takes what it can from
   the macros in `components.html`. `url("/s/{sandbox}/journal", status=429)` is the URL of a page: values that the
   path does not name become the query, and `sandbox` and `connection` default to those of the page.
3. Add a `Page` to the `PAGES` of the module, and the module to `pages.py` if it is new.
4. Forms post to their page. `{% call ui.form("arm") %}` begins a form of the action `arm`, a function in
   `Page.actions`. It returns the URL to go to, or None for the page itself. A `ConnectorError` that it raises is shown
   at the form, with the values that were sent.
5. Files of a page, such as an attachment, are a `Page` without a template; its loader returns a Starlette response.
6. Name an example of each new path parameter in `tests/server/web/stage.py`. The tests of all pages read the rows:
   each page opens, has a title, fits a phone and passes axe.

A page morphs when its sandbox changes (`live=False` switches it off). Idiomorph keeps elements apart by `id`: give one
to what can move, such as the rows of a table. What a user has typed or opened stays.

Scripts and styles are files in `static/`; the content policy allows nothing inline. `entrance.py` imports the rest,
Jinja2 included, for the first visitor, so that a server without visitors does not pay for the pages.
"""
