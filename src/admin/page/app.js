// The page: signing in, then following the stream for as long as somebody looks, again after it broke.
import { dropKeys, follow, hasKey, keepKeys, Refused } from './api.js';
import { drawRequests, startInspector } from './inspector.js';
import { showSnapshot } from './live.js';
import { byId } from './parts.js';
import { startTheme } from './theme.js';

const RETRY_MS = 2_000;

let following = new AbortController();

/** @param {boolean} isSignedIn */
function show(isSignedIn) {
  byId('sign-in').hidden = isSignedIn;
  byId('dashboard').hidden = !isSignedIn;
  byId('sign-out').hidden = !isSignedIn;
}

/** @param {string} problem */
function signOut(problem) {
  following.abort();
  dropKeys();
  show(false);
  byId('state').textContent = 'Not signed in';
  byId('sign-in-problem').textContent = problem;
  byId('admin-key').focus();
}

async function watch() {
  following.abort();
  const { signal } = (following = new AbortController());
  const isOver = () => signal.aborted;
  while (!isOver()) {
    try {
      await follow((snapshot) => {
        if (byId('dashboard').hidden) show(true);
        showSnapshot(snapshot, drawRequests);
      }, signal);
    } catch (error) {
      if (error instanceof Refused) {
        signOut(error.message);
        return;
      }
    }
    if (isOver()) return;
    byId('state').textContent = 'The connection is lost; trying again';
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

function start() {
  startTheme();
  startInspector();
  byId('sign-out').addEventListener('click', () => signOut(''));
  byId('sign-in').addEventListener('submit', (event) => {
    event.preventDefault();
    /** @param {string} id */
    const take = (id) => {
      const field = /** @type {HTMLInputElement} */ (byId(id));
      const { value } = field;
      field.value = '';
      return value;
    };
    keepKeys(take('admin-key'), take('tenant-key'));
    byId('sign-in-problem').textContent = '';
    void watch();
  });
  if (hasKey()) void watch();
}

start();
