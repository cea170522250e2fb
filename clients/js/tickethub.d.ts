/// <reference lib="esnext.disposable" />

// --- What a project holds. Times are texts in ISO 8601, ids are UUIDs. ---

export type Role = "viewer" | "member" | "admin" | "owner";

export interface User {
  id: string;
  username: string;
  email: string;
  first_name: string;
  last_name: string;
  date_joined: string;
}

export interface Project {
  id: string;
  key: string;
  name: string;
  description: string;
  /** Your own. */
  role: Role;
  archived_at: string | null;
  created_at: string;
  updated_at: string;
}

export interface Membership {
  id: string;
  project: string;
  user: User;
  role: Role;
  created_at: string;
}

export interface Status {
  id: string;
  project: string;
  slug: string;
  name: string;
  category: "backlog" | "todo" | "in_progress" | "done" | "cancelled";
  position: number;
  is_default: boolean;
}

export interface Label {
  id: string;
  project: string;
  name: string;
  color: string;
}

export interface Task {
  id: string;
  key: string;
  number: number;
  project: string;
  title: string;
  description: string;
  /** The slug of a status. */
  status: string;
  priority: "none" | "low" | "medium" | "high" | "urgent";
  /** Ids of users. */
  assignees: string[];
  /** Ids of labels. */
  labels: string[];
  parent: string | null;
  due_date: string | null;
  position: string;
  version: number;
  created_by: string | null;
  created_at: string;
  updated_at: string;
  completed_at: string | null;
}

export interface Relation {
  id: string;
  source: string;
  target: string;
  type: "blocks" | "relates_to" | "duplicates";
}

export interface Comment {
  id: string;
  task: string;
  author: string;
  body: string;
  edited_at: string | null;
  created_at: string;
  updated_at: string;
}

export interface Things {
  project: Project;
  membership: Membership;
  status: Status;
  label: Label;
  task: Task;
  relation: Relation;
  comment: Comment;
}

export type Thing = keyof Things;

/** By thing, then by id. */
export type Objects<T extends Thing = Thing> = { [K in T]: Record<string, Things[K]> };

export const THINGS: readonly Thing[];

// --- Events and changes ---

interface EventBase {
  project: string;
  /** Counts up in the project, without a gap. */
  seq: number;
  /** A place in the log. Keep it as a text. */
  cursor: string;
  /** The id of the object. */
  id: string;
  at: string;
  actor: string | null;
  request_id: string | null;
  /** By field: what it was and what it is. For showing, not for applying. */
  changes: Record<string, [before: unknown, after: unknown]>;
}

/** A project's event has no `role`: that is each reader's own. */
type Shown<K extends Thing> = K extends "project" ? Omit<Project, "role"> : Things[K];

export type EventOf<K extends Thing> =
  | (EventBase & { type: `${K}.created` | `${K}.updated`; object: Shown<K> })
  | (EventBase & { type: `${K}.deleted`; object: null });

/** Something that happened in a project; `type` says what. */
export type Event = { [K in Thing]: EventOf<K> }[Thing];

export type EndReason = "access_revoked" | "deleted" | "not_found" | "requested" | "signed_out" | "duplicate";

export type Change =
  /** Look at all of it. `overflow`: in place of changes that a slow reader did not take. */
  | { kind: "loaded"; event?: undefined; reason?: "overflow" }
  /** The line is back; what was missed follows. */
  | { kind: "resumed"; event?: undefined; reason?: undefined }
  | { kind: "event"; event: Event; reason?: undefined }
  | { kind: "ended"; event?: undefined; reason: EndReason };

// --- Errors ---

/** An answer with a status of 400 or more. */
export class ApiError extends Error {
  /** For the program. */
  readonly code: string;
  /** For a person. */
  readonly detail: string;
  readonly status: number;
  /** All that the server said, null where that is no JSON. */
  readonly body: any;
  /** Its body is read already; null where nothing was asked. */
  readonly response: Response | null;
  constructor(status: number, code: string, detail: string, body: unknown, response: Response | null);
  /** Read it from an answer that you have fetched yourself. */
  static of(response: Response): Promise<ApiError>;
}

/** No token is to be had: the refresh token was refused, and there are no credentials or they were refused too. */
export class SignedOut extends ApiError {}

/** The project is followed no longer, and never was loaded. */
export class Ended extends Error {
  readonly reason: EndReason;
  constructor(reason: EndReason);
}

// --- The client ---

export interface Logger {
  info(...words: unknown[]): void;
  warn(...words: unknown[]): void;
  error(...words: unknown[]): void;
}

/** A key for a refresh token that this client did not get itself. */
export function newKey(): string;

export interface TicketHubOptions {
  email?: string;
  password?: string;
  access?: string;
  refresh?: string;
  /** What was told with the refresh token. */
  key?: string;
  /** Called with each new pair, to save it. With the key a refresh whose answer was lost is sent again. */
  onTokens?(access: string, refresh: string | undefined, key: string): unknown;
  /** Where clients that share one login keep its tokens; `onTokens` has to save them there. */
  shared?: {
    read(): { access?: string; refresh?: string; key?: string } | null;
    /** Run it while no other of the clients runs such a thing; wait for it. */
    alone(act: () => Promise<void>): Promise<unknown>;
  };
  /** How many seconds a request may wait at 429 and 503, all in all, before ApiError is thrown; without end unless given. */
  longestWait?: number;
  /** Called when the line is up and let in, and whenever one that was opened or tried has ended. */
  onLine?(isUp: boolean): unknown;
  /** In place of the global one. */
  fetch?: (input: string, init?: RequestInit) => Promise<Response>;
  /** In place of the global one. */
  WebSocket?: new (url: string) => { send(text: string): void; close(code?: number): void };
  /** `console` tells all; without it, warnings and errors go there. */
  logger?: Logger;
}

type Value = string | number | boolean;

/** A parameter with several values is repeated. */
export type Params = Record<string, Value | readonly Value[]>;

export interface RequestOptions {
  json?: unknown;
  params?: Params;
  headers?: HeadersInit;
  signal?: AbortSignal;
  /** Seconds without anything from the server after which the request is given up: 30, or 600 for an import. */
  timeout?: number;
}

interface Lists {
  "projects/": Project;
  "memberships/": Membership;
  "statuses/": Status;
  "labels/": Label;
  "tasks/": Task;
  "relations/": Relation;
  "comments/": Comment;
  "users/": User;
}

export interface FollowOptions<T extends Thing = Thing> {
  /** What to keep; all unless given. */
  things?: readonly T[];
  /** Where `objects` stands: both are those of an earlier replica. */
  cursor?: string | null;
  objects?: Partial<Objects<T>>;
  /** Load in your own way; called again where it fails. */
  load?(hub: TicketHub, project: string, signal: AbortSignal): Promise<Partial<Objects<T>>>;
  /** Called for each event as it is applied, none left out. */
  onEvent?(event: Event): unknown;
}

export class TicketHub implements AsyncDisposable {
  constructor(url: string | readonly string[], options?: TicketHubOptions);

  /** Who was let in on the line. */
  readonly userId: string | null;
  /** Whether the line is up, and let in. */
  readonly isConnected: boolean;
  /** How often the line closed, by code. */
  readonly closes: Readonly<Record<number, number>>;

  /** Give the answer to a request for a path below /api/v1/. Throws ApiError for a status from 400 on. */
  request(method: string, path: string, options?: RequestOptions): Promise<Response>;

  /** Give a whole list by id. */
  load<P extends keyof Lists>(
    path: P,
    filters?: Params,
    options?: { signal?: AbortSignal },
  ): Promise<Record<string, Lists[P]>>;
  load<Row extends { id: string }>(
    path: string,
    filters?: Params,
    options?: { signal?: AbortSignal },
  ): Promise<Record<string, Row>>;

  /** Log in. Done by itself when needed. Throws SignedOut if there are no credentials, or wrong ones. */
  login(): Promise<void>;

  /** Give an access token other than the stale one. Throws SignedOut where none is to be had. */
  token(stale?: string): Promise<string>;

  /** Give the replica of a project, by id or key, which loads itself in the background. */
  follow<T extends Thing = Thing>(project: string, options?: FollowOptions<T>): Replica<T>;

  /** Lose the line. It comes back by itself. */
  cut(): void;

  /** End all replicas and the line. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** What one project holds, kept by events. It dispatches `change` events. Made by `TicketHub.follow`. */
export class Replica<T extends Thing = Thing> extends EventTarget {
  private constructor();

  /** What `follow` was called with. */
  readonly name: string;
  /** The project's id, once it is known. */
  readonly project: string | null;
  /** Where in the log the objects stand. */
  readonly cursor: string | null;
  /** Replaced, never changed; treat them so too. */
  readonly objects: Objects<T>;
  /** The number of the last event applied. */
  readonly seq: number | null;
  /** Why it ended, null until then. */
  readonly reason: EndReason | null;
  readonly gaps: number;
  readonly duplicates: number;
  readonly resyncs: number;
  readonly resumes: number;

  /** Wait until it is loaded and live. Throws Ended if it ends before. */
  ready(): Promise<void>;
  /** Wait for the end; give the reason. */
  ended(): Promise<EndReason>;
  /** Iterate over all changes from now on; the last is `ended`. */
  changes(): AsyncGenerator<Change, void, undefined>;
  /** Follow no longer. The objects stay as they are. */
  unfollow(): void;

  addEventListener(
    type: "change",
    listener: (event: CustomEvent<Change>) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  removeEventListener(
    type: "change",
    listener: (event: CustomEvent<Change>) => void,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | EventListenerOptions,
  ): void;
}

/** Read by REST all that a project holds. */
export function loadProject<T extends Thing = Thing>(
  hub: TicketHub,
  project: string,
  signal?: AbortSignal,
  things?: readonly T[],
): Promise<Objects<T>>;
