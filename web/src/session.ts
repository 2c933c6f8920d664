// Who is signed in. The engine keeps people signed in by a cookie that no script can read; what a
// page may know is who it is, and the word that its writes must repeat (POST /v1/session).
// Without a token file the engine asks nobody: then everybody is its admin, without a session.
import { ApiError, call, callJson, guardWrites, numberOf, textOf } from './api.js';

export interface Who {
  role: string; // feed, ingest, creator, operator or admin
  name: string; // of the token
  creatorId: string; // of a creator
  hasSession: boolean; // there is something to sign out of
}

const kPath = '/v1/session';

function whoOf(answer: Record<string, unknown>): Who {
  guardWrites(textOf(answer.csrf));
  return {
    role: textOf(answer.role),
    name: textOf(answer.name),
    creatorId: textOf(answer.creator_id),
    hasSession: numberOf(answer.until_ms) > 0,
  };
}

// Nobody: null. Throws ApiError when the engine cannot say.
export async function whoIsIt(signal?: AbortSignal): Promise<Who | null> {
  try {
    return whoOf(await callJson(kPath, { signal }));
  } catch (error) {
    if (error instanceof ApiError && error.code === 'unauthorized') return null;
    throw error;
  }
}

// Throws ApiError: 'unauthorized' for a token that is wrong or over.
export async function signIn(token: string): Promise<Who> {
  return whoOf(await callJson(kPath, { method: 'POST', body: { token } }));
}

export async function signOut(): Promise<void> {
  await call(kPath, { method: 'DELETE' });
  guardWrites('');
}
