/** What a call says besides its action: anything that is JSON, an object at the top. */
export type LogektorProperties = { readonly [name: string]: unknown };

/**
 * Sends an event of the page's own.
 *
 * It is queued in localStorage, sent at once, and sent again with the same id until the collector has taken it.
 */
export interface Logektor {
  /** @param action what was done, 1-200 characters */
  (action: string, properties?: LogektorProperties): void;
  /** Whether the script is there, and not only the stub. */
  loaded?: true;
  /** Calls made before the script was there. */
  q?: IArguments[];
}

/** What `window.logektorOptions` says where the script is part of a bundle; set it before the import. */
export interface LogektorOptions {
  /** The site's domain, as in sites.toml. */
  readonly site?: string;
  /** The collector, such as `https://collect.example.com`. */
  readonly api: string;
  /** The site's write key; only where neither the site's name nor the page's origin tells the site. */
  readonly key?: string;
  /** Where the collector takes batches, if a proxy has renamed it. Default `/batch`. */
  readonly path?: string;
  /** Pages are told apart by what follows `#`, which becomes a part of the path. */
  readonly hash?: true;
  /** Says in the console what is sent, taken, refused and dropped. */
  readonly debug?: true;
}

/** The properties of the event `engagement`, whose subject is the page (by its path) that was left or hidden. */
export interface LogektorEngagement {
  /** Whole milliseconds that the page was visible and focused since its last `engagement`: sum them up. */
  readonly engagedMs: number;
  /** The deepest part of the page seen so far, in per cent of its height, 0-100: take the largest. */
  readonly scrollDepth: number;
}

declare global {
  var logektor: Logektor;
  var logektorOptions: LogektorOptions | undefined;
}
