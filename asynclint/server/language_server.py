"""asynclint --lsp: a language server on standard input and output, by pygls.

Clients that pull diagnostics are given them when they ask; the others are told.
"""

from __future__ import annotations

import logging
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from lsprotocol import types
from pygls.lsp.server import LanguageServer
from pygls.uris import to_fs_path

from asynclint import __version__
from asynclint.output import explain
from asynclint.rule import all_rules
from asynclint.server import actions
from asynclint.server.checks import Checked, Checker
from asynclint.server.documents import Document, Documents
from asynclint.server.translate import Diagnostics, Measure, Places, edits, text_of
from asynclint.settings import Overrides
from asynclint.source.text import SourceText

WATCHED = "**/{*.py,pyproject.toml,pytest.toml,.pytest.toml,pytest.ini,.pytest.ini,tox.ini,setup.cfg}"


class Server(LanguageServer):
    """The server, and what the client it talks to can do.

    Texts come whole: pygls applies changes of parts by ``str.splitlines``, which ends lines at form feeds
    and U+2028, where clients don't.
    """

    def __init__(self, overrides: Overrides) -> None:
        super().__init__("asynclint", __version__, text_document_sync_kind=types.TextDocumentSyncKind.Full)
        self.documents = Documents(Checker(overrides), self._tell)
        self.ended_well = False

    @property
    def pulls(self) -> bool:
        """Whether the client asks for diagnostics itself; it would show those that are pushed twice."""
        text_document = self.client_capabilities.text_document
        return text_document is not None and text_document.diagnostic is not None

    @property
    def measure(self) -> Measure:
        """How many units of the agreed encoding a piece of text has."""
        return self.workspace.position_codec.client_num_units

    def can(self, *names: str) -> Any:
        """What the client's capabilities say at the end of a path of attributes; None where it breaks off."""
        found: Any = self.client_capabilities
        for name in names:
            found = getattr(found, name, None)
        return found

    def diagnostics(self, checked: Checked) -> Diagnostics:
        """What was found in a document, in the client's terms."""

        def text_at(path: Path) -> SourceText | None:
            document = self.documents.at(path)
            return text_of(path) if document is None else document.text

        return Diagnostics(checked, self.measure, text_at)

    def push(self, uri: str, found: list[types.Diagnostic], version: int | None = None) -> None:
        """Tell the client what is found in a document."""
        self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, found, version))

    def _tell(self, document: Document, news: bool) -> None:
        if document.checked is None:
            return
        if not self.pulls:
            self.push(document.uri, self.diagnostics(document.checked).all(), document.version)
        elif news and self.can("workspace", "diagnostics", "refresh_support"):
            self.workspace_diagnostic_refresh(None)

    def workspace_edit(self, document: Document, after: str) -> types.WorkspaceEdit:
        """The edit that makes ``after`` of a document, of this version alone if the client knows how."""
        changes = edits(document.text, after, Places(document.text, self.measure))
        if self.can("workspace", "workspace_edit", "document_changes"):
            identifier = types.OptionalVersionedTextDocumentIdentifier(document.uri, document.version)
            return types.WorkspaceEdit(document_changes=[types.TextDocumentEdit(identifier, list(changes))])
        return types.WorkspaceEdit({document.uri: changes})


def serve(overrides: Overrides) -> int:
    """Serve one client until it says goodbye or goes away; the exit status.

    Nothing but the protocol is written to standard output.
    """
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="asynclint: %(message)s")
    stdin, stdout = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr
    server = Server(overrides)
    _follow_documents(server)
    _answer(server)
    server.start_io(stdin, stdout)
    server.documents.stop()
    return 0 if server.ended_well else 1


def _follow_documents(server: Server) -> None:
    @server.feature(types.INITIALIZED)
    def initialized(_: types.InitializedParams) -> None:
        folders = [server.workspace.root_uri, *server.workspace.folders]
        root = to_fs_path(next(filter(None, folders), ""))
        if root:  # names in messages are relative to it
            with suppress(OSError):
                os.chdir(root)
        if server.can("workspace", "did_change_watched_files", "dynamic_registration"):
            options = types.DidChangeWatchedFilesRegistrationOptions([types.FileSystemWatcher(WATCHED)])
            name = types.WORKSPACE_DID_CHANGE_WATCHED_FILES
            server.client_register_capability(
                types.RegistrationParams([types.Registration("watched files", name, options)])
            )

    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    def opened(params: types.DidOpenTextDocumentParams) -> None:
        _take(server, params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    def changed(params: types.DidChangeTextDocumentParams) -> None:
        _take(server, params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
    def saved(_: types.DidSaveTextDocumentParams) -> None:
        server.documents.check_all()

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    def closed(params: types.DidCloseTextDocumentParams) -> None:
        server.documents.close(params.text_document.uri)
        if not server.pulls:
            server.push(params.text_document.uri, [])

    @server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    def changed_on_disk(_: types.DidChangeWatchedFilesParams) -> None:
        server.documents.check_all()

    @server.feature(types.SHUTDOWN)
    def shut_down(*_: Any) -> None:
        server.ended_well = True
        server.documents.stop()


def _take(server: Server, uri: str) -> None:
    """Take a document's newest text, if it is Python's: of a file, or of what will be one.

    Cells of notebooks and old versions of files have schemes of their own, and make no test file.
    """
    document = server.workspace.get_text_document(uri)
    scheme = uri.partition(":")[0]
    if scheme in ("file", "untitled") and (document.language_id or "python").lower() == "python":
        name = to_fs_path(uri) if scheme == "file" else None
        path = Path(os.path.abspath(name)) if name else None  # noqa: PTH100 (links are not resolved)
        server.documents.put(uri, path, document.source, document.version or 0)


def _answer(server: Server) -> None:
    options = types.CodeActionOptions([actions.QUICK_FIX, actions.FIX_ALL], resolve_provider=True)

    @server.feature(types.TEXT_DOCUMENT_DIAGNOSTIC, types.DiagnosticOptions(True, False, "asynclint"))
    async def pulled(params: types.DocumentDiagnosticParams) -> types.DocumentDiagnosticReport:
        checked = await server.documents.checked(params.text_document.uri)
        found = server.diagnostics(checked).all() if checked is not None else []
        return types.RelatedFullDocumentDiagnosticReport(found)

    @server.feature(types.TEXT_DOCUMENT_CODE_ACTION, options)
    async def code_actions(params: types.CodeActionParams) -> list[types.CodeAction]:
        uri, only = params.text_document.uri, params.context.only
        checked, document = await server.documents.checked(uri), server.documents.of(uri)
        if checked is None or document is None:
            return []
        offered: list[types.CodeAction] = []
        if actions.is_asked(actions.QUICK_FIX, only):
            shown = server.diagnostics(checked)
            offered += actions.quick_fixes(document, params.range, shown)
            offered += actions.silencers(document, params.range, shown)
        if actions.is_asked(actions.FIX_ALL, only) and only is not None:
            offered.append(actions.fix_all(document))
        lazily = server.can("text_document", "code_action", "resolve_support", "properties") or ()
        return offered if "edit" in lazily else [await _resolved(server, action) for action in offered]

    @server.feature(types.CODE_ACTION_RESOLVE)
    async def resolve(action: types.CodeAction) -> types.CodeAction:
        return await _resolved(server, action)

    @server.feature(types.TEXT_DOCUMENT_HOVER)
    async def hover(params: types.HoverParams) -> types.Hover | None:
        checked = await server.documents.checked(params.text_document.uri)
        if checked is None:
            return None
        return _hover(checked, Places(checked.text, server.measure), params.position)


async def _resolved(server: Server, action: types.CodeAction) -> types.CodeAction:
    """An action with its edit; as it is, where the document has changed since it was offered."""
    data: Any = action.data
    document = server.documents.of(data["uri"])
    after = None
    if document is None or document.version != data["version"]:
        return action
    if action.kind == actions.FIX_ALL:
        after = await server.documents.fixed(document.uri)
    elif (finding := actions.finding_of(document, data)) is not None:
        change = actions.with_noqa if "noqa" in data else actions.with_fix
        after = await server.documents.aside(change, document.text, finding)
    if after is not None and document.version == data["version"]:
        action.edit = server.workspace_edit(document, after)
    return action


def _hover(checked: Checked, places: Places, position: types.Position) -> types.Hover | None:
    """The pages of the rules that report where the cursor is; and why there is no fix, if one is expected."""
    here = [f for f in checked.result.findings if _covers(places.range(f.span), position)]
    rules = {rule.code: rule for rule in all_rules()}
    pages = dict.fromkeys(explain.markdown(rules[f.code]) for f in here if f.code in rules)
    reasons = dict.fromkeys(f"{f.code} has no fix here: {f.held_back}\n" for f in here if f.held_back)
    if not pages:
        return None
    content = types.MarkupContent(types.MarkupKind.Markdown, "\n---\n\n".join([*reasons, *pages]))
    return types.Hover(content, places.range(here[0].span))


def _covers(found: types.Range, position: types.Position) -> bool:
    start, end, here = ((p.line, p.character) for p in (found.start, found.end, position))
    return start <= here <= end
