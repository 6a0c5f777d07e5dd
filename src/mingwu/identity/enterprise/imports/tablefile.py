"""A file that holds a table, whatever its form: what it looks like, and its rows."""

from contextlib import AbstractContextManager, closing
from typing import BinaryIO

from mingwu.identity.enterprise import tables
from mingwu.identity.enterprise.imports import workbooks
from mingwu.identity.enterprise.settings import EnterpriseSettings
from mingwu.identity.enterprise.tables import Records, Table, TableForm


class TableFile:
    """A seekable file within the limits of ``settings``; its form is found at once.

    Raises InvalidInput ``enterprise.table-…``, as do reading and looking.
    """

    def __init__(self, file: BinaryIO, settings: EnterpriseSettings) -> None:
        self._file = file
        self._most = settings.import_rows
        self._unpacked = settings.unpacked_bytes
        file.seek(0)
        if file.read(len(workbooks.ARCHIVE)) == workbooks.ARCHIVE:
            self.form: TableForm = workbooks.workbook_form(file, unpacked=self._unpacked)
        else:
            self.form = tables.text_form(file)

    def table(self, *, sheet: str = "", head: int = 1) -> AbstractContextManager[Table]:
        """The columns and the rows of one sheet (of a text file: all of it)."""
        if self.form.kind == "csv":
            return tables.text_table(self._file, self.form, head=head, most=self._most)
        return workbooks.workbook_table(
            self._file, sheet=sheet, head=head, most=self._most, unpacked=self._unpacked
        )

    def guess_head(self, sheet: str = "") -> int:
        """The row that probably names the columns."""
        with closing(self._records(sheet)) as records:
            return tables.guess_head(records)

    def _records(self, sheet: str) -> Records:
        if self.form.kind == "csv":
            return tables.records_of(self._file, self.form)
        return workbooks.workbook_records(self._file, sheet=sheet, unpacked=self._unpacked)
