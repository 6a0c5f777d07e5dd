"""Pages about data templates: the list, and one template with its revisions and its editor.

Each is one island under one address. A node's prefixes are numbers and dots, so that no name's
page hides behind ``/names/templates``.
"""

# Whose words the islands need: registration forms, templates.
AREAS = ("register", "templates")

# (address, key of the title, module of ``static/``)
PAGES = (
    ("/names/templates", "nav.templates", "templates"),
    ("/names/templates/{number:int}", "template.title", "template"),
)

# Entries of the side menu: (address, key of the words, icon).
MENU = (("/names/templates", "nav.templates", "template"),)
