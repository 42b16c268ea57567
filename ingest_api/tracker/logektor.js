/*
 * Logektor's script for websites. No cookies. Its README.md says what it sends and which options it takes.
 *
 *   <script defer data-site="example.com" src="https://host/logektor.js"></script>
 */
(function () {
  'use strict';

  const DOWNLOAD =
    /\.(csv|doc|docx|epub|mobi|odp|ods|odt|pdf|pps|ppsx|ppt|pptx|ps|rtf|xls|xlsx|7z|bz2|gem|gz|jar|rar|tar|tbz2|tgz|txz|war|whl|xz|zip|zst|aac|avi|flac|m4a|m4v|mid|midi|mkv|mov|mp3|mp4|mpeg|mpg|oga|ogg|ogv|opus|wav|webm|wma|wmv|apk|appimage|deb|dmg|exe|img|iso|msi|pkg|rpm)$/i;
  const FIRST_PAUSE = 1000; // milliseconds, as all times
  const LONGEST_PAUSE = 60000;
  const LONGEST_WAIT = 3600000;
  const LONGEST_REQUEST = 30000;
  // Browsers refuse more than 65,536 bytes under way of requests that outlive their page.
  const MOST_BYTES = 60000;
  const ENVELOPE = 40; // bytes of sentAt and the brackets
  const MOST_QUEUED = 1000;
  const MOST_CHARACTERS = 1e6;
  // The collector's bounds, in characters.
  const LONGEST_URL = 4000;
  const LONGEST_TITLE = 1000;
  const LONGEST_ID = 500;

  if (typeof document === 'undefined') return; // rendered on a server
  const script = document.currentScript;
  const options = window.logektorOptions || (script && script.dataset);
  if (!options) return console.warn('logektor: set window.logektorOptions before the import');
  if (window.logektor && window.logektor.loaded) return;

  const debug = 'debug' in options ? (...words) => console.log('logektor:', ...words) : () => {};
  const api = (options.api || new URL((script && script.src) || location).origin).replace(/\/+$/, '');
  const endpoint = api + (options.path || '/batch') + (options.key ? '?key=' + encodeURIComponent(options.key) : '');
  const tab = newId();

  let page; // of the last page view: its address
  let referrer = document.referrer;
  let staleTitle; // of the page before, which an app changes only some time after the address

  const path = (url) => url.split('?')[0];

  function address() {
    let [url, fragment] = location.href.split('#');
    if ('hash' in options && fragment) {
      // The collector keeps no fragment, so the route becomes a part of the path.
      const [base, search] = url.split('?');
      const [route, query] = fragment.replace(/^!?\/?/, '').split('?');
      url = base.replace(/\/?$/, '/') + route + '?' + [search, query].filter(Boolean).join('&');
    }
    return url.slice(0, LONGEST_URL);
  }

  function newId() {
    if (crypto.randomUUID) return crypto.randomUUID();
    // Pages without TLS have no randomUUID.
    return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => (byte + 256).toString(16).slice(1)).join('');
  }

  // The queue has an item for each event, so that tabs can add and remove at the same time.
  const QUEUE = 'logektor ' + (options.site || options.key || '') + ' ';
  const EVENT = QUEUE + 'event ';
  const PAUSE = QUEUE + 'pause'; // until when, and its length before chance
  const SENDER = QUEUE + 'sender'; // until when which tab may send, where there are no locks
  const memory = new Map(); // where localStorage is blocked or full
  const mine = new Set();
  let made = 0; // keeps the order within a millisecond
  const underWay = new Map(); // bytes, by key
  let storage;
  try {
    storage = window.localStorage;
  } catch (blocked) {
    debug('localStorage is blocked');
  }

  const get = (key) => memory.get(key) || (storage && storage.getItem(key)) || '';
  const queued = () => [...memory.keys(), ...Object.keys(storage || {})].filter((key) => key.startsWith(EVENT)).sort();
  const bytes = (text) => new TextEncoder().encode(text).length;

  function put(key, value) {
    try {
      storage.setItem(key, value);
      memory.delete(key);
    } catch (refused) {
      memory.set(key, value);
    }
  }

  function remove(key) {
    memory.delete(key);
    mine.delete(key);
    if (storage) storage.removeItem(key);
  }

  // Milliseconds until a noted time; one too far away was noted before the clock was set back.
  function left(key) {
    const rest = parseInt(get(key)) - Date.now();
    return rest > 0 && rest <= LONGEST_WAIT ? rest : 0;
  }

  function record(event) {
    if (get('logektor_ignore') === 'true') {
      return debug('ignored, because localStorage.logektor_ignore is true:', event.action);
    }
    const whole = Object.assign({
      eventId: newId(),
      site: options.site,
      url: address(),
      referrer: referrer.slice(0, LONGEST_URL) || undefined,
      title: document.title === staleTitle ? undefined : document.title.slice(0, LONGEST_TITLE),
      language: navigator.language || undefined,
      screenWidth: screen.width,
      datetimeStamp: Date.now(),
    }, event);
    let text;
    try {
      text = JSON.stringify(whole);
    } catch (error) {
      return console.warn('logektor: properties must be JSON:', error);
    }
    if (bytes(text) > MOST_BYTES - ENVELOPE) return console.warn('logektor: more than 60 KB, not sent:', event.action);
    const key = EVENT + (whole.datetimeStamp * 1000 + (made++ % 1000)) + ' ' + whole.eventId;
    put(key, text);
    mine.add(key);
    wake();
  }

  function dropOldest() {
    let characters = 0;
    queued().reverse().forEach((key, newer) => {
      characters += get(key).length;
      if (newer < MOST_QUEUED && characters <= MOST_CHARACTERS) return;
      debug('the queue is full, dropped:', get(key));
      remove(key);
    });
  }

  // One tab at a time sends what any has queued.
  let timer;
  let woken = false;
  let sending = false;
  let most = MOST_QUEUED; // events in a request
  let unreachable = false;

  function wake(wait) {
    if (wait) {
      clearTimeout(timer);
      timer = setTimeout(flush, wait);
    } else if (!woken) {
      // What is tracked in one go is sent in one request.
      woken = true;
      queueMicrotask(flush);
    }
  }

  const limit = () => (AbortSignal.timeout ? AbortSignal.timeout(LONGEST_REQUEST) : undefined);

  function flush() {
    woken = false;
    dropOldest();
    if (sending) return;
    sending = true;
    if (!navigator.locks || !storage) return drain(claimed);
    // A tab that hangs must not stop the others: what is sent twice is counted once.
    const alone = () => drain(() => true);
    navigator.locks.request(QUEUE, { signal: limit() }, alone).catch(alone);
  }

  function claimed() {
    if (left(SENDER) && !get(SENDER).endsWith(tab)) {
      wake(FIRST_PAUSE);
      return false;
    }
    put(SENDER, Date.now() + LONGEST_REQUEST + ' ' + tab);
    return true;
  }

  function release() {
    if (get(SENDER).endsWith(tab)) remove(SENDER);
  }

  async function drain(mayGoOn) {
    while (mayGoOn()) {
      const wait = left(PAUSE);
      if (wait) wake(wait);
      const piece = wait ? [] : nextPiece(queued());
      if (!piece.length || !(await post(piece))) break;
    }
    sending = false;
    release();
  }

  function nextPiece(keys) {
    let room = MOST_BYTES;
    underWay.forEach((size) => { room -= size; });
    const piece = [];
    for (const key of keys) {
      const text = get(key);
      if (!text || underWay.has(key)) continue;
      room -= bytes(text) + ENVELOPE;
      if (room < 0 || piece.length === most) break;
      piece.push([key, text]);
    }
    return piece;
  }

  // Answers whether to go on.
  async function post(piece) {
    // All times are this clock's; by sentAt the collector corrects a wrong one.
    const events = piece.map(([, text]) => text.slice(0, -1) + ',"sentAt":' + Date.now() + '}');
    const body = '{"batch":[' + events.join() + ']}';
    debug('sent:', body);
    piece.forEach(([key], index) => underWay.set(key, bytes(events[index]) + 1));
    try {
      // A body of text needs no preflight request.
      const request = { method: 'POST', body, keepalive: true, credentials: 'omit', signal: limit() };
      return await answered(await fetch(endpoint, request), piece);
    } catch (error) {
      unreachable = true;
      return pause(error);
    } finally {
      piece.forEach(([key]) => underWay.delete(key));
    }
  }

  async function answered(answer, piece) {
    const status = answer.status;
    unreachable = false;
    // Any other 2xx is not the collector's.
    const taken = status === 202;
    if (!taken && ![400, 401, 403, 413, 415].includes(status)) {
      return pause('answer ' + status, answer.headers.get('Retry-After'));
    }
    remove(PAUSE);
    if (piece.length > 1 && (status === 400 || status === 413)) {
      most = piece.length >> 1;
      return true;
    }
    most = Math.min(2 * most, MOST_QUEUED);
    piece.forEach(([key, text]) => {
      remove(key);
      debug(taken ? 'taken:' : 'dropped:', text);
    });
    const told = await answer.text();
    if (!taken) console.warn('logektor: refused with', status, told);
    else JSON.parse(told).rejected.forEach((each) => console.warn('logektor: refused:', each.message, piece[each.index][1]));
    return true;
  }

  function pause(reason, retryAfter) {
    const length = Math.min(2 * get(PAUSE).split(' ')[1] || FIRST_PAUSE, LONGEST_PAUSE);
    const least = retryAfter && retryAfter >= 0 ? retryAfter * 1000 : length / 2;
    const wait = Math.round(Math.min(least, LONGEST_WAIT - length) + (Math.random() * length) / 2);
    put(PAUSE, Date.now() + wait + ' ' + length);
    debug('not taken (' + reason + '), tried again in ' + wait + ' ms');
    wake(wait);
    return false;
  }

  let engaged = 0; // milliseconds that the page was visible and focused, not yet sent
  let since; // when that began, if it is so
  let deepest; // seen, in pixels from the top

  function look() {
    const now = performance.now();
    if (since !== undefined) engaged += now - since;
    since = document.visibilityState === 'visible' && document.hasFocus() ? now : undefined;
    deepest = Math.max(deepest, scrollY + innerHeight);
  }

  function engagement() {
    look();
    const engagedMs = Math.round(engaged);
    if (!engagedMs) return;
    engaged = 0;
    record({
      action: 'engagement',
      url: page,
      subjectType: 'page',
      subjectId: new URL(page).pathname.slice(0, LONGEST_ID),
      properties: {
        engagedMs,
        scrollDepth: Math.min(100, Math.round(100 * deepest / document.documentElement.scrollHeight)),
      },
    });
  }

  function leave() {
    engagement();
    since = undefined;
    // What is only in memory has no other chance, even during a pause.
    const piece = nextPiece([...mine].filter((key) => memory.has(key) || !left(PAUSE)));
    if (piece.length) post(piece).then(() => wake());
    release();
  }

  function pageview() {
    page = address();
    deepest = 0;
    look();
    engaged = 0;
    record({ action: 'pageview' });
  }

  // A replaced query string is the same page in another state.
  function navigated(replaced) {
    const before = page;
    if (address() === before) return;
    if (replaced && path(address()) === path(before)) {
      page = address();
      return;
    }
    engagement();
    referrer = before;
    staleTitle = document.title;
    pageview();
  }

  function follow(name, replaced) {
    const original = history[name];
    history[name] = function () {
      const result = original.apply(this, arguments);
      navigated(replaced);
      return result;
    };
  }

  function clicked(click) {
    if (click.button > 1) return;
    const link = click.composedPath().find((node) => node.tagName === 'A' && node.href);
    if (!link || !/^https?:$/.test(link.protocol)) return;
    const subjectId = (link.origin + link.pathname).slice(0, LONGEST_ID);
    if (DOWNLOAD.test(subjectId)) record({ action: 'download', subjectType: 'file', subjectId });
    else if (link.host !== location.host) record({ action: 'outbound_link', subjectType: 'link', subjectId });
  }

  function start() {
    if (navigator.doNotTrack === '1' || navigator.globalPrivacyControl) {
      debug('the browser asks not to be tracked; what is counted then is the policy of the site');
    }
    const calls = (window.logektor && window.logektor.q) || [];
    const track = (action, properties) => record({ action, properties });
    window.logektor = track;
    track.loaded = true;
    // For a copy of the stub that the page still holds.
    track.q = { push: (call) => track(...call) };
    pageview();
    Array.from(calls).forEach(track.q.push);

    follow('pushState', false);
    follow('replaceState', true);
    addEventListener('popstate', () => navigated(false));
    addEventListener('pageshow', (shown) => {
      if (!shown.persisted) return;
      // Where the visitor was meanwhile is not known.
      referrer = '';
      pageview();
    });
    addEventListener('click', clicked, true);
    addEventListener('auxclick', clicked, true);
    addEventListener('focus', look);
    addEventListener('blur', look);
    addEventListener('scroll', look, { passive: true });
    document.addEventListener('visibilitychange', () => (document.visibilityState === 'hidden' ? leave() : look()));
    addEventListener('pagehide', leave);
    addEventListener('online', () => {
      if (unreachable) remove(PAUSE);
      wake();
    });
  }

  // A prerendered page may never be seen.
  if (document.prerendering) {
    window.logektor = window.logektor || function () { (window.logektor.q = window.logektor.q || []).push(arguments); };
    document.addEventListener('prerenderingchange', start, { once: true });
  } else {
    start();
  }
})();
