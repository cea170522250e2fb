// Follow a project of TicketHub live and keep a replica of it.
//
//     node follow.mjs http://localhost:8000 EMAIL PASSWORD PROJECT-KEY
//
// Node 22 or newer, or Node 20 with --experimental-websocket. There is nothing to install.

import { TicketHub } from "../../clients/js/tickethub.js";

const [url, email, password, project] = process.argv.slice(2);
const hub = new TicketHub(url, { email, password });
const replica = hub.follow(project);
for await (const { kind, event, reason } of replica.changes()) {
  const words = [event?.type, event?.id, event?.changes && JSON.stringify(event.changes), reason];
  console.log(kind, ...words.filter(Boolean), `(${Object.keys(replica.objects.task).length} tasks)`);
}
await hub.close();
