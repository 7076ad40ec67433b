// What goes wrong at a user's desk before a record is read: one clear line and the exit code that scripts rely on, never a stack.
import assert from 'node:assert/strict'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { demandNoStack, openDesk, takePort } from './desk.js'

const desk = openDesk()
after(desk.remove)

interface Parts {
  readonly node?: string
  readonly http?: string
  readonly sources?: string
  readonly backends?: string
}

/** A configuration that works, but for the parts given. */
function config(name: string, parts: Parts = {}): string {
  return desk.write(
    `${name}.yaml`,
    `node: { ${parts.node ?? `data_dir: ./data-${name}`} }
http: { listen: ${parts.http ?? '127.0.0.1:0'} }
sources: { ${parts.sources ?? `app: { type: file, include: [logs-${name}/*.log] }`} }
sampling: { tiers: { info: 1 } }
backends: { ${parts.backends ?? `out: { type: archive, path: ./archive-${name} }`} }
`,
  )
}

const LINE = '{"level":"info","msg":"hello","service":"cart"}\n'

test('a node that cannot start says why in one line and exits with the right code', async (t) => {
  const taken = await takePort()
  t.after(taken.free)
  const { port } = taken
  desk.write('a-file', 'x')
  desk.write('a-folder/x', 'x')
  const archive = (more: string) => `out: { type: archive, path: ./archive, ${more} }`
  const cases: readonly [string, string, number, RegExp][] = [
    ['no such file', 'nowhere.yaml', 2, /^millrace: nowhere\.yaml: does not exist; .*millrace init/],
    ['a folder', 'a-folder', 2, /^millrace: a-folder: is a folder; name the configuration file/],
    [
      'unknown key',
      config('key', { backends: archive('compresion_level: 3') }),
      2,
      /key\.yaml:5:\d+: backends\.out\.compresion_level: unknown key; did you mean compression_level\?/,
    ],
    [
      'missing variable',
      config('env', { backends: 'es: { type: elasticsearch, url: "${MILLRACE_NO_SUCH}" }' }),
      2,
      /the environment variable MILLRACE_NO_SUCH is not set/,
    ],
    [
      'wrong url',
      config('url', { backends: 'es: { type: elasticsearch, url: "htp:/127.0.0.1" }' }),
      2,
      /backends\.es\.url: got "htp:\/127\.0\.0\.1", expected a URL such as/,
    ],
    [
      'data_dir is a file',
      config('dir', { node: 'data_dir: ./a-file' }),
      2,
      /a-file is a file, expected a folder/,
    ],
    [
      'data_dir cannot be made',
      config('proc', { node: 'data_dir: /proc/millrace' }),
      1,
      /^millrace: data_dir \/proc\/millrace: the journal can't be opened there \(.*give node\.data_dir a folder/,
    ],
    [
      'token file missing',
      config('token', { sources: 'in: { type: http, listen: 127.0.0.1:0, token_file: no.token }' }),
      2,
      /^millrace: sources\.in\.token_file: .*no\.token cannot be read/,
    ],
    [
      'http.listen in use',
      config('port', { http: `127.0.0.1:${port}` }),
      1,
      /^millrace: http\.listen: 127\.0\.0\.1:\d+ is in use by another process; stop it or/,
    ],
    [
      'port of a source in use',
      config('push', { sources: `in: { type: http, listen: 127.0.0.1:${port} }` }),
      1,
      /^millrace: sources\.in\.listen: 127\.0\.0\.1:\d+ is in use by another process; choose another/m,
    ],
  ]
  for (const [what, file, code, message] of cases) {
    const ended = await desk.run('run', '-c', file)
    demandNoStack(ended, what)
    assert.match(ended.stderr, message, what)
    assert.equal(ended.code, code, what)
    assert.doesNotMatch(ended.stderr, /"running"/, `${what}: it does not claim to run`)
    const told = ended.stderr.split('\n').filter((line) => line.startsWith('millrace: '))
    assert.equal(told.length, 1, `${what}: ${ended.stderr}`)
  }
})

test('a journal that has gone bad is reported and does not keep the node from running', async () => {
  const file = config('rot')
  desk.write('logs-rot/a.log', LINE.repeat(50))
  assert.equal((await desk.run('run', '--once', '-c', file)).code, 0)
  const folder = join(desk.folder, 'data-rot', 'journal')
  for (const name of readdirSync(folder)) writeFileSync(join(folder, name), Buffer.alloc(60, 0x5a))
  const fsck = await desk.run('wal', 'fsck', '-c', file)
  assert.equal(fsck.code, 1, fsck.stdout)
  demandNoStack(fsck, 'fsck')
  const again = await desk.run('run', '--once', '-c', file)
  demandNoStack(again, 'run on a corrupt journal')
  assert.equal(again.code, 0, again.stderr)
  assert.match(
    again.stderr,
    /"kind":"segment_header".*corrupt place found, the rest goes on; see millrace wal fsck/,
  )
  assert.match(again.stderr, /"kind":"cursor"/)
  // The positions are gone with the segment: the file is read again, which is better than to skip it.
  assert.match(again.stderr, /"records":50,"kept":50,"msg":"stopped"/)
})

test('a batch that could not read one of its files says which and exits with 1', async () => {
  desk.write('logs-left/a.log', LINE)
  desk.write('logs-left/folder.log/x', LINE)
  const sources = 'app: { type: file, include: [logs-left/a.log, logs-left/folder.log] }'
  const ended = await desk.run('run', '--once', '-c', config('left', { sources }))
  demandNoStack(ended, 'a folder where a log should be')
  assert.match(ended.stderr, /logs-left\/folder\.log","reason":"EISDIR"/)
  assert.match(ended.stderr, /"actor":"source\.app","faults":1.*not everything could be read/)
  assert.match(ended.stderr, /"records":1,"kept":1/)
  assert.equal(ended.code, 1)
})

test('standard input that ends ends the node, with what was in it delivered', async () => {
  const file = config('pipe', { sources: 'in: { type: stdin }' })
  const filled = desk.start('run', '--once', '--json', '-c', file)
  filled.child.stdin?.end(LINE.repeat(3) + LINE.trimEnd())
  const ended = await filled.ended
  demandNoStack(ended, 'stdin')
  assert.equal(ended.code, 0, ended.stderr)
  const status = JSON.parse(ended.stdout) as {
    backends: { out: { writtenRecords: number } }
    reasons: string[]
  }
  assert.equal(status.backends.out.writtenRecords, 4)
  assert.deepEqual(status.reasons, ['the node is stopping or has stopped'])
  const empty = desk.start('run', '-c', file)
  empty.child.stdin?.destroy()
  assert.equal((await empty.ended).code, 0)
})
