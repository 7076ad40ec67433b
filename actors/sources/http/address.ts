// Who may push: the address that is listened on, and the token that is asked for.
import { createHash, timingSafeEqual } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { MillraceError } from '../../../protocol/errors.js'

export interface ListenAddress {
  readonly host: string
  readonly port: number
}

/** Splits `host:port` or `[v6]:port`; the form was checked by the schema. */
export function listenAddress(text: string): ListenAddress {
  const colon = text.lastIndexOf(':')
  return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) }
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}

/** Whether an Authorization header may pass. Compares in constant time. */
export type TokenCheck = (authorization: string | undefined) => boolean

/** Throws `http.token_required` for an open address without a token, `http.token_file` when the file holds none. */
export function tokenCheck(source: string, listen: string, tokenFile: string | undefined): TokenCheck {
  if (tokenFile === undefined) {
    if (isLoopback(listenAddress(listen).host)) return () => true
    throw new MillraceError(
      'http.token_required',
      `sources.${source}.listen: ${listen} can be reached from other machines, so token_file is needed; or listen on 127.0.0.1`,
    )
  }
  const expected = digest(readToken(source, tokenFile))
  return (authorization) => {
    const token = /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1]
    // Digests have one length, so that not even the token's length can be told from the time.
    return timingSafeEqual(digest(token ?? ''), expected) && token !== undefined
  }
}

function readToken(source: string, file: string): string {
  let token: string
  try {
    token = readFileSync(file, 'utf8').trim()
  } catch (cause) {
    throw new MillraceError('http.token_file', `sources.${source}.token_file: ${file} cannot be read`, {
      cause,
    })
  }
  if (/^\S{8,}$/.test(token)) return token
  const problem = 'must hold one token of at least 8 characters without white space'
  throw new MillraceError('http.token_file', `sources.${source}.token_file: ${file} ${problem}`)
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
