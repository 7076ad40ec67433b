// What a container says of itself must not reach the terminal as a command to it: ESC, CSI in one character, line breaks.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runText } from '../../cli/audit/text.js'
import { captureTable } from '../../cli/capture-table.js'
import { resultText } from '../../cli/ctl/verb-text.js'
import { recordText } from '../../cli/record-text.js'
import { renderTop } from '../../cli/top-table.js'
import { inspectionText } from '../../cli/wal-text.js'
import { exampleStatus } from '../http/node-server.js'

const HOSTILE = 'a\u001b[2J\u009b31m\nb'
const SHOWN = 'a\ufffd[2J\ufffd31m\\nb'

const service = {
  namespace: 'shop',
  service: HOSTILE,
  infoPerSecond: 1,
  seenPerSecond: 1,
  keptPerSecond: 1,
  infoRate: 1,
  window: {},
  rules: [],
}
const sampling = {
  revision: 1,
  reloads: 0,
  tracked: 1,
  overflow: false,
  services: [service],
  boosts: [],
}
const stream = { service_name: HOSTILE, namespace: 'n', cluster_id: 'c', log_level: 'INFO', log_type: 'app' }

const texts: Readonly<Record<string, () => string>> = {
  top: () => renderTop({ ...exampleStatus, sampling }),
  'top, a reason': () => renderTop({ ...exampleStatus, reasons: [HOSTILE] }),
  'wal inspect': () =>
    inspectionText({
      folder: 'journal',
      segments: [],
      frames: 1,
      records: 1,
      bytes: 1,
      tailSeq: 1,
      streams: [{ fields: stream, frames: 1 }],
      positions: [],
      cursors: [],
      places: [],
    }),
  'audit run': () =>
    runText({
      whole: false,
      frames: 1,
      records: 1,
      compared: 0,
      agreed: 0,
      repaired: 0,
      unsure: 0,
      postponed: 1,
      differs: 0,
      onTheirWay: 0,
      unacknowledged: 0,
      unreadable: 0,
      withArchive: false,
      interrupted: false,
      backends: {},
      repairs: {},
      reasons: [HOSTILE],
      tookMs: 1,
    }),
  'capture list': () =>
    captureTable([{ key: `c/n/${HOSTILE}`, bytes: 1, atMs: 1, place: 'folder' }], 'folder'),
  'ctl actors': () =>
    resultText('actors', {
      groups: { ingest: { up: true, restarts: 0, actors: ['parse'] } },
      actors: { parse: { ready: false, group: 'ingest', detail: {}, reason: HOSTILE.replace('\n', '\\n') } },
    }),
  'tap, no record': () => recordText(HOSTILE),
}

for (const [name, text] of Object.entries(texts))
  test(`${name} prints nothing that a terminal obeys`, () => {
    const printed = text()
    assert.ok(printed.includes(SHOWN), printed)
    assert.doesNotMatch(printed, /(?!\n)\p{Cc}/u)
  })
