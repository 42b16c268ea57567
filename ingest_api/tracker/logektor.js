/*
 * Logektor's script for websites: page views, also in single-page apps, and events of your own. No cookies.
 *
 *   <script defer data-site="example.com" src="https://host/logektor.js"></script>
 *
 *   data-site   the site's domain                    data-api    the collector, where it is not the src's origin
 *   data-key    the site's write key                 data-debug  says in the console what is sent
 *
 *   window.logektor = window.logektor || function () { (logektor.q = logektor.q || []).push(arguments) }
 *   logektor('signup', {plan: 'pro'})
 *
 * To leave yourself out: localStorage.logektor_ignore = 'true' in the console of the site.
 */
(function () {
  'use strict';

  const ATTEMPTS = 6;
  const FIRST_PAUSE = 1000; // milliseconds
  const LONGEST_PAUSE = 60000;
  const LONGEST_RETRY_AFTER = 3600; // seconds
  // The collector's bounds, in characters: past them it would refuse the whole event.
  const LONGEST_URL = 4000;
  const LONGEST_TITLE = 1000;

  const script = document.currentScript;
  if (!script || (window.logektor && window.logektor.loaded)) return;

  const options = script.dataset;
  const debug = 'debug' in options ? (...words) => console.log('logektor:', ...words) : () => {};
  const api = (options.api || new URL(script.src).origin).replace(/\/+$/, '');
  const endpoint = api + '/track' + (options.key ? '?key=' + encodeURIComponent(options.key) : '');

  let page; // of the last page view: its address, without the fragment
  let referrer = document.referrer;
  let staleTitle; // of the page before, which an app changes only some time after the address

  const address = () => location.href.split('#')[0];
  const path = (url) => url.split('?')[0];

  function newId() {
    if (crypto.randomUUID) return crypto.randomUUID();
    // Pages without TLS have no randomUUID.
    return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => (byte + 256).toString(16).slice(1)).join('');
  }

  function ignored() {
    try {
      return localStorage.getItem('logektor_ignore') === 'true';
    } catch (blocked) {
      return false;
    }
  }

  function track(action, properties) {
    if (ignored()) return debug('ignored, because localStorage.logektor_ignore is true:', action);
    send({
      eventId: newId(),
      site: options.site,
      action: action,
      url: address().slice(0, LONGEST_URL),
      referrer: referrer ? referrer.slice(0, LONGEST_URL) : undefined,
      title: document.title === staleTitle ? undefined : document.title.slice(0, LONGEST_TITLE),
      language: navigator.language || undefined,
      screenWidth: screen.width,
      datetimeStamp: Date.now(),
      properties: properties,
    }, 1);
  }

  // The event keeps its id over all attempts, so that one that came through after all is counted once.
  function send(event, attempt) {
    let body;
    try {
      // Both times are this clock's; the collector corrects a wrong one by sentAt.
      body = JSON.stringify(Object.assign({}, event, { sentAt: Date.now() }));
    } catch (error) {
      return console.warn('logektor: properties must be JSON:', error);
    }
    debug(attempt > 1 ? 'sent again:' : 'sent:', body);
    if (!('keepalive' in Request.prototype)) {
      // The answer of a beacon is not told, but it outlives the page as keepalive does.
      return navigator.sendBeacon(endpoint, body) || retry(event, attempt, 'the browser refused the beacon');
    }
    // A body of text needs no preflight request.
    fetch(endpoint, { method: 'POST', body: body, keepalive: true, credentials: 'omit' }).then(
      (answer) => {
        if (answer.ok) return debug('taken:', event.action, event.eventId);
        if (answer.status === 429 || answer.status >= 500) {
          return retry(event, attempt, 'answer ' + answer.status, answer.headers.get('Retry-After'));
        }
        return answer.text().then((text) => console.warn('logektor: refused with', answer.status, text));
      },
      (error) => retry(event, attempt, error)
    );
  }

  function retry(event, attempt, reason, retryAfter) {
    if (attempt === ATTEMPTS) return debug('given up:', event, reason);
    const pause = Math.min(FIRST_PAUSE * 2 ** (attempt - 1), LONGEST_PAUSE) * (0.5 + Math.random() / 2);
    const wait = retryAfter > 0 ? Math.min(retryAfter, LONGEST_RETRY_AFTER) * 1000 : pause;
    debug('not taken (' + reason + '), tried again in ' + Math.round(wait) + ' ms');
    setTimeout(() => send(event, attempt + 1), wait);
  }

  function pageview() {
    page = address();
    track('pageview');
  }

  // A fragment is a place within a page, and a replaced query string is the same page in another state.
  function navigated(replaced) {
    const before = page;
    if (address() === before) return;
    if (replaced && path(address()) === path(before)) {
      page = address();
      return;
    }
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

  function start() {
    if (navigator.doNotTrack === '1' || navigator.globalPrivacyControl) {
      debug('the browser asks not to be tracked; what is counted then is the policy of the site');
    }
    const queued = (window.logektor && window.logektor.q) || [];
    window.logektor = track;
    track.loaded = true;
    // For a copy of the stub that the page still holds.
    track.q = { push: (call) => track(...call) };
    pageview();
    Array.from(queued).forEach((call) => track(...call));

    follow('pushState', false);
    follow('replaceState', true);
    addEventListener('popstate', () => navigated(false));
    addEventListener('pageshow', (shown) => {
      if (!shown.persisted) return;
      // Back from the browser's cache: where the visitor was meanwhile is not known.
      referrer = '';
      pageview();
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
