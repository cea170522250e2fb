"""What TicketHub reads and writes, as one would write it by hand, for PostgreSQL and SQLite. Parameters are `:name`."""

import re

SHOWN = """
    SELECT t.id, p.key || '-' || t.number AS key, t.number, t.project_id AS project, t.title, t.description,
           s.slug AS status,
           CASE t.priority WHEN 0 THEN 'none' WHEN 1 THEN 'low' WHEN 2 THEN 'medium' WHEN 3 THEN 'high'
                           ELSE 'urgent' END AS priority,
           {assignees} AS assignees, {labels} AS labels, t.parent_id AS parent, t.due_date, t.position, t.version,
           t.created_by_id AS created_by, t.created_at, t.updated_at, t.completed_at
    FROM tasks_task t JOIN projects_project p ON p.id = t.project_id JOIN projects_status s ON s.id = t.status_id"""
NEWEST = "ORDER BY t.created_at DESC, t.id DESC LIMIT :limit"
ASSIGNED = "t.id IN (SELECT task_id FROM tasks_task_assignees WHERE user_id = :person)"

READS = {
    "list": f"{SHOWN} WHERE t.project_id = :project {NEWEST} OFFSET :offset",
    "filtered": f"{SHOWN} WHERE t.project_id = :project AND s.slug = :status AND {ASSIGNED} {NEWEST}",
    "mine": f"""{SHOWN} WHERE {ASSIGNED}
        AND t.project_id IN (SELECT project_id FROM projects_membership WHERE user_id = :person) {NEWEST}""",
    "board": f"""{SHOWN} WHERE t.project_id = :project AND s.category IN ('todo', 'in_progress')
        ORDER BY t.position, t.id LIMIT :limit""",
    "one": f"{SHOWN} WHERE t.id = :id",
    "search": f"""{SHOWN} WHERE t.project_id = :project
        AND (t.title {{like}} '%' || :word || '%' OR t.description {{like}} '%' || :word || '%') {NEWEST}""",
    "comments": """SELECT id, task_id AS task, author_id AS author, body, edited_at, created_at, updated_at
        FROM comments_comment WHERE task_id = :task ORDER BY created_at, id LIMIT :limit""",
    "events": """SELECT project_id AS project, seq, seq || '.' || nonce AS cursor, type, object_id AS id, at,
        actor_id AS actor, request_id, changes, object
        FROM realtime_event WHERE project_id = :project AND seq > :seq ORDER BY seq LIMIT :limit""",
}
WRITES = {
    "begin": "SELECT p.key, s.id AS status_id, s.slug AS status FROM projects_project p"
    " JOIN projects_status s ON s.project_id = p.id AND s.is_default WHERE p.id = :project",
    "number": "UPDATE tasks_board SET last_number = last_number + 1 WHERE project_id = :project RETURNING last_number",
    "board": "SELECT 1 AS locked FROM tasks_board WHERE project_id = :project {lock}",
    "last": "SELECT position FROM tasks_task WHERE project_id = :project ORDER BY position DESC LIMIT 1",
    "beside": """SELECT t.position, (SELECT o.position FROM tasks_task o WHERE o.project_id = t.project_id
        AND o.position < t.position AND o.id <> :id ORDER BY o.position DESC LIMIT 1) AS lower
        FROM tasks_task t WHERE t.id = :before""",
    "insert": """INSERT INTO tasks_task (id, created_at, number, title, description, priority, position, version,
        updated_at, created_by_id, project_id, status_id) VALUES (:id, :at, :number, :title, :description, 0, :position,
        1, :at, :person, :project, :status_id)""",
    "locked": f"{SHOWN} WHERE t.id = :id {{lock_task}}",
    "all_locked": f"{SHOWN} WHERE t.id IN ({{all_of}}) ORDER BY t.id {{lock_task}}",
    "retitle": "UPDATE tasks_task SET title = :title, version = version + 1, updated_at = :at WHERE id = :id",
    "place": "UPDATE tasks_task SET position = :position, version = version + 1, updated_at = :at WHERE id = :id",
    "weigh": """UPDATE tasks_task SET priority = :weight, version = version + 1, updated_at = :at
        WHERE id IN ({all_of})""",
    "take": "UPDATE realtime_stream SET head = head + :count WHERE project_id = :project RETURNING head",
    "event": """INSERT INTO realtime_event (id, project_id, seq, nonce, type, object_id, at, actor_id, request_id,
        changes, object, task_id) VALUES (:event_id, :project, :seq, :nonce, :type, :id, :at, :person, :request_id,
        :changes, :object, :id)""",
    "person": "SELECT id, password FROM accounts_user WHERE email = :email",
    "session": """INSERT INTO accounts_session (id, created_at, user_id, expires_at, refresh_jti, rotated_at)
        VALUES (:id, :at, :person, :expires_at, :jti, :at)""",
    "seen": "UPDATE accounts_user SET last_login = :at WHERE id = :person",
}
POSTGRES = {
    "assignees": "ARRAY(SELECT a.user_id FROM tasks_task_assignees a WHERE a.task_id = t.id ORDER BY a.user_id)",
    "labels": "ARRAY(SELECT l.label_id FROM tasks_task_labels l WHERE l.task_id = t.id ORDER BY l.label_id)",
    "like": "ILIKE",
    "lock": "FOR UPDATE",
    "lock_task": "FOR NO KEY UPDATE OF t",
    "all_of": "SELECT unnest(CAST(:ids AS uuid[]))",
}
SQLITE = {
    "assignees": """(SELECT json_group_array(x) FROM (SELECT a.user_id AS x FROM tasks_task_assignees a
        WHERE a.task_id = t.id ORDER BY x))""",
    "labels": """(SELECT json_group_array(x) FROM (SELECT l.label_id AS x FROM tasks_task_labels l
        WHERE l.task_id = t.id ORDER BY x))""",
    "like": "LIKE",
    "lock": "",
    "lock_task": "",
    "all_of": "SELECT value FROM json_each(:ids)",
}


def of_postgres():
    return {
        name: re.sub(r":(\w+)", r"%(\1)s", text.format(**POSTGRES).replace("%", "%%")) for name, text in named().items()
    }


def of_sqlite():
    return {name: text.format(**SQLITE) for name, text in named().items()}


def named():
    return READS | {f"write {name}": text for name, text in WRITES.items()}
