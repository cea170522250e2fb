/**
 * Moving cards. While one is lifted the board shows it where it would come to stand, by pretending so; what others change
 * meanwhile is shown as ever. A mouse lifts by pulling, a finger by resting on a card, the keyboard by the space bar.
 */

import { complain, say } from "./toast.js";

const PULL = 5; // pixels
const REST = 300; // milliseconds
const EDGE = 60; // pixels, within which the board scrolls

const id = (card) => card?.dataset.id;

/** `replace(id)` gives a new element in the place of a card's, which is then the hand's. */
export function dragging(root, store, { draw, replace }) {
  let held = null; // {id, card, home, place, pretence, ghost}
  const ends = new AbortController();
  const listen = (target, type, act, options = {}) =>
    target.addEventListener(type, act, { signal: ends.signal, ...options });

  // --- Lifting, showing where, letting go ---

  function lift(card, how) {
    held = { id: id(card), card, home: placeOf(card), place: null, pretence: null, ghost: null };
    card.classList.add("lifted", how);
  }

  /** Show the lifted card in a status, behind another card there, or in front of one, or alone. */
  function show(place) {
    const { status, after, before } = place;
    const now = placeOf(held.card);
    if (now.status === status && now.after === after) return;
    held.pretence?.end();
    held.place = place;
    held.pretence = store.pretend(held.id, store.placed({ status, after, before }));
    draw(new Set([held.id]));
  }

  function letGo(isMeant) {
    const { id, card, home, pretence, ghost } = held;
    const place = held.place && card.isConnected && placeOf(card); // others may have changed what stands beside it
    held = null;
    ghost?.remove();
    root.style.scrollSnapType = "";
    pretence?.end();
    card.classList.remove("lifted", "by-hand", "by-key");
    if (!isMeant || !place || (place.status === home.status && place.after === home.after)) return false;
    store.move(id, place).catch((error) => complain(error, `${store.keyOf(id)} was not moved.`));
    return true;
  }

  const cardsOf = (list) => [...list.children].filter((card) => !card.classList.contains("ghost"));

  function placeOf(card) {
    const cards = cardsOf(card.parentElement);
    const at = cards.indexOf(card);
    return {
      status: card.parentElement.dataset.status,
      after: id(cards[at - 1]) ?? null,
      before: id(cards[at + 1]) ?? null,
    };
  }

  /** The place in a list where the lifted card would be the one of this index. */
  function placeAt(list, index) {
    const others = cardsOf(list).filter((card) => card !== held.card);
    const at = Math.max(0, Math.min(index, others.length));
    return { status: list.dataset.status, after: id(others[at - 1]) ?? null, before: id(others[at]) ?? null };
  }

  // --- By pointer ---

  let pressed = null; // {card, x, y, pointerId, timer}
  const isOfHand = ({ pointerId }) => pointerId === pressed?.pointerId; // and not of a second finger

  listen(root, "pointerdown", (event) => {
    const card = event.target.closest(".card");
    if (!card || event.button || !event.isPrimary || event.target.closest("input, button") || !store.mayWrite || held)
      return;
    const { clientX: x, clientY: y, pointerId, pointerType } = event;
    pressed = { card, x, y, pointerId, isTouch: pointerType === "touch", timer: 0 };
    if (pressed.isTouch) pressed.timer = setTimeout(() => begin(x, y), REST);
  });

  function begin(x, y) {
    const { card: ghost, pointerId } = pressed;
    const { left, top, width } = ghost.getBoundingClientRect();
    ghost.classList.add("ghost");
    ghost.style.width = `${width}px`;
    lift(replace(id(ghost)), "by-hand");
    root.setPointerCapture(pointerId);
    root.style.scrollSnapType = "none"; // or it would take back each step of the scrolling at an edge
    Object.assign(held, { ghost, dx: x - left, dy: y - top, x, y });
    follow(x, y);
    requestAnimationFrame(scroll);
  }

  listen(root, "pointermove", (event) => {
    const { clientX: x, clientY: y } = event;
    if (!isOfHand(event)) return;
    if (held?.ghost) return follow(x, y);
    const isFar = Math.hypot(x - pressed.x, y - pressed.y) > PULL;
    if (isFar && pressed.isTouch) release();
    else if (isFar) begin(pressed.x, pressed.y);
  });

  function follow(x, y) {
    Object.assign(held, { x, y });
    held.ghost.style.transform = `translate(${x - held.dx}px, ${y - held.dy}px) rotate(1.5deg)`;
    const under = document.elementFromPoint(x, y);
    const list = under?.closest(".column")?.querySelector(".cards");
    if (!list) return;
    const over = under.closest(".card");
    if (over === held.card) return;
    if (over) {
      const others = cardsOf(list).filter((card) => card !== held.card);
      const { top, height } = over.getBoundingClientRect();
      show(placeAt(list, others.indexOf(over) + (y > top + height / 2 ? 1 : 0)));
    } else if (!cardsOf(list).length || y > cardsOf(list).at(-1).getBoundingClientRect().bottom) {
      show(placeAt(list, Infinity));
    } else if (y < list.getBoundingClientRect().top) show(placeAt(list, 0));
  }

  /** Scroll while the pointer is near an edge. */
  function scroll() {
    if (!held?.ghost) return;
    const pull = (at, start, end) =>
      (at < start + EDGE ? at - start - EDGE : at > end - EDGE ? at - end + EDGE : 0) / 4;
    const board = root.getBoundingClientRect();
    const { scrollLeft } = root;
    root.scrollLeft += pull(held.x, board.left, board.right);
    if (root.scrollLeft !== scrollLeft) follow(held.x, held.y);
    const list = document.elementFromPoint(held.x, held.y)?.closest(".column")?.querySelector(".cards");
    if (list) {
      const { top, bottom } = list.getBoundingClientRect();
      const moved = list.scrollTop;
      list.scrollTop += pull(held.y, top, bottom);
      if (list.scrollTop !== moved) follow(held.x, held.y);
    }
    requestAnimationFrame(scroll);
  }

  function release() {
    clearTimeout(pressed?.timer);
    pressed = null;
  }

  listen(document, "pointerup", (event) => {
    if (!isOfHand(event)) return;
    release();
    if (!held?.ghost) return;
    letGo(true);
    const swallow = (event) => (event.preventDefault(), event.stopPropagation()); // or it would open the task, too
    document.addEventListener("click", swallow, { capture: true, once: true });
    setTimeout(() => document.removeEventListener("click", swallow, { capture: true }));
  });
  listen(document, "pointercancel", (event) => {
    if (!isOfHand(event)) return;
    release();
    if (held?.ghost) letGo(false);
  });
  listen(root, "touchmove", (event) => held?.ghost && event.preventDefault(), { passive: false });
  listen(root, "contextmenu", (event) => pressed?.isTouch && event.preventDefault());

  // --- By keyboard ---

  listen(
    document,
    "keydown",
    (event) => {
      if (event.key === "Escape" && held) {
        event.stopImmediatePropagation();
        const { card } = held;
        release(); // or the next move would lift it again
        letGo(false);
        draw(new Set([id(card)]));
        if (!card.isConnected) return; // others made of it what no filter lets through
        card.querySelector("a").focus();
        say(`Put back. ${where(card)}`);
      }
    },
    { capture: true },
  );

  listen(root, "focusout", ({ relatedTarget }) => {
    if (held && !held.ghost && relatedTarget && !held.card.contains(relatedTarget)) letGo(false);
  });

  listen(root, "keydown", (event) => {
    const card = event.target.closest(".card");
    if (!card || event.target.closest("input, button") || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }[event.key];
    if (event.key === " " && store.mayWrite) {
      event.preventDefault();
      if (held) drop(card);
      else {
        lift(card, "by-key");
        say(`Lifted ${store.keyOf(id(card))}. ${where(card)} Arrow keys move it, space drops it, escape puts it back.`);
      }
    } else if (step) {
      event.preventDefault();
      if (held) carry(card, ...step);
      else walk(card, ...step);
    }
  });

  function drop(card) {
    const isMoved = letGo(true);
    say(`${isMoved ? "Dropped" : "Left where it was"}. ${where(card)}`);
  }

  function listBeside(card, right) {
    const lists = [...root.querySelectorAll(".cards")];
    return lists[lists.indexOf(card.parentElement) + right];
  }

  function carry(card, right, down) {
    const index = cardsOf(card.parentElement).indexOf(card);
    const list = right ? listBeside(card, right) : card.parentElement;
    if (!list || (down && !cardsOf(list)[index + down])) return;
    show(placeAt(list, index + down));
    card.querySelector("a").focus({ preventScroll: true });
    card.scrollIntoView({ block: "nearest", inline: "nearest" });
    say(where(card));
  }

  /** Go to the next card; sideways to the next column that has one. */
  function walk(card, right, down) {
    const index = cardsOf(card.parentElement).indexOf(card);
    let next = down ? cardsOf(card.parentElement)[index + down] : null;
    for (let far = right; right && !next; far += right) {
      const list = listBeside(card, far);
      if (!list) return;
      next = cardsOf(list)[Math.min(index, cardsOf(list).length - 1)];
    }
    next?.querySelector("a").focus();
  }

  function where(card) {
    const cards = cardsOf(card.parentElement);
    return `${store.statusName(card.parentElement.dataset.status)}, ${cards.indexOf(card) + 1} of ${cards.length}.`;
  }

  return {
    isHeld: (one) => held?.id === one,
    /** Let go of what was deleted, or whose column was. */
    check(columns) {
      const isGone = (one) => !columns.has(store.task(one)?.status);
      if (pressed && isGone(id(pressed.card))) release();
      if (held && isGone(held.id)) letGo(false);
    },
    close() {
      if (held) letGo(false);
      ends.abort();
    },
  };
}
