"""A participant in Python's standard library: a shelf of widgets, in an SQLite file.

    python3 service.py FILE PORT

One row for each branch, written in the transaction that changes the stock, keeps every promise:
a call that comes again finds what it did, and a rollback that comes first is found by what is late.
Ids begin with their time: a service that deletes rows of ended branches refuses to prepare an id older
than the newest that it has deleted.
"""
import json, sqlite3, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

lock = threading.Lock()
db = sqlite3.connect(sys.argv[1], isolation_level=None, check_same_thread=False)
db.executescript("""
    CREATE TABLE IF NOT EXISTS stock (widgets INTEGER);
    INSERT INTO stock SELECT 1000 WHERE NOT EXISTS (SELECT * FROM stock);
    CREATE TABLE IF NOT EXISTS branch (id TEXT PRIMARY KEY, coordinator TEXT, state TEXT, widgets INTEGER);""")


def branch(call, id, coordinator, late, payload):
    """Do one call; None, or why not. A prepared branch has taken its widgets from the shelf."""
    row = db.execute("SELECT state, widgets FROM branch WHERE id = ?", (id,)).fetchone()
    state, widgets = row or (None, 0)
    if call == "prepare" and state is None:
        widgets = json.loads(payload)["widgets"]
        if late or db.execute("SELECT widgets < ? FROM stock", (widgets,)).fetchone()[0]:
            return "refused"
        db.execute("UPDATE stock SET widgets = widgets - ?", (widgets,))
        db.execute("INSERT INTO branch VALUES (?, ?, 'prepared', ?)", (id, coordinator, widgets))
    elif call in ("prepare", "commit"):
        if state in (None, "rolled-back"):
            return state or "not-prepared"
        if call == "commit":
            db.execute("UPDATE branch SET state = 'committed' WHERE id = ?", (id,))
    elif state == "committed":
        return "committed"
    elif state != "rolled-back":
        db.execute("UPDATE stock SET widgets = widgets + ?", (widgets,))
        db.execute("REPLACE INTO branch VALUES (?, ?, 'rolled-back', 0)", (id, coordinator))


class Service(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps connections

    def do_POST(self):
        h, call = self.headers, self.path.rsplit("/", 1)[1]
        payload = self.rfile.read(int(h.get("Content-Length", 0)))
        if call not in ("prepare", "commit", "rollback") or h["Dtc-Participant"] != "shelf":
            return self.answer(404)
        late = time.time() * 1000 >= int(h.get("Dtc-Deadline", sys.maxsize))
        try:
            with lock, db:  # commits, or rolls back what has raised
                db.execute("BEGIN IMMEDIATE")
                refused = branch(call, h["Dtc-Transaction"], unquote(h.get("Dtc-Coordinator", "")), late, payload)
        except Exception:
            return self.answer(500)
        if refused:
            return self.answer(409, {"type": "urn:dtc:" + refused, "title": refused, "status": 409})
        self.answer(204)

    def do_GET(self):  # in-doubt
        with lock:
            rows = db.execute("SELECT id, coordinator FROM branch WHERE state = 'prepared'").fetchall()
        self.answer(200, {"branches": [{"transaction": id, "coordinator": c} for id, c in rows]})

    def answer(self, status, document=None):
        body = json.dumps(document).encode() if document else b""
        self.send_response(status)
        self.send_header("Dtc-Call", self.headers.get("Dtc-Call", ""))
        self.send_header("Content-Type", "application/problem+json" if status == 409 else "application/json")
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Service)
    print(server.server_port, flush=True)
    server.serve_forever()
