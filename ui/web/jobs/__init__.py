"""The jobs of the page: accepted, kept, sent, followed and answered, whatever dies on the way. No HTTP, no pages.

A job is accepted when its picture lies in a folder and its row in SQLite; from there everything can be done again after
a crash. `desk` is what the routes use, and puts the rest together:

- what a job is and how it moves, decided purely: `record`, `moves`, `allowances`, `turns`, `pictures`;
- where it is kept: `database` with `rows`, `files`, and `book`, which has every record and tells `followers`;
- what moves it: `sender`, `answers`, `progress`, `cancels`, `upkeep`;
- what is shown of its pictures: `previews`, made by `shrinking` in a process of its own.
"""
