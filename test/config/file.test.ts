// Guards the reading of the configuration file itself: what is no file, no text, no YAML, or a trap.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { loadConfig } from '../../runtime/config/load.js'
import { readSecret } from '../../runtime/config/secret.js'
import { configText, parse, problemsOf } from './config-text.js'

const folder = mkdtempSync(path.join(tmpdir(), 'millrace-config-'))
after(() => rmSync(folder, { recursive: true }))
const written = (name: string, bytes: string | Buffer) => {
  const file = path.join(folder, name)
  writeFileSync(file, bytes)
  return file
}

test('a file that is missing, a folder, empty, not UTF-8 or too large is told as such', () => {
  const cases: readonly [string, string, RegExp][] = [
    [
      path.join(folder, 'none.yaml'),
      'config.not_found',
      /does not exist; name another with -c, or write one with `millrace init`/,
    ],
    [folder, 'config.is_folder', /is a folder/],
    [written('empty.yaml', ' \n'), 'config.empty', /holds no options/],
    [written('comments.yaml', '# nothing\n'), 'config.empty', /holds no options/],
    [written('latin1.yaml', Buffer.from([0x61, 0x3a, 0xe4])), 'config.not_utf8', /is not UTF-8/],
    [written('large.yaml', Buffer.alloc(1024 * 1024 + 1, '#')), 'config.too_large', /is it the right file/],
  ]
  for (const [file, code, message] of cases)
    assert.throws(() => loadConfig(file, {}), { name: 'MillraceError', code, message })
})

test('a byte order mark and Windows line ends are read', () => {
  const text = `\ufeff${configText()}`.replaceAll('\n', '\r\n')
  assert.equal(Object.keys(loadConfig(written('bom.yaml', text), {}).config.sources).length, 1)
})

test('text that is not YAML is told with line and column', () => {
  const { code, lines } = problemsOf('sources:\n  app: { type: file\nbackends: x\n')
  assert.equal(code, 'config.yaml')
  assert.match(lines[0] ?? '', /^[23]:\d+: not valid YAML/)
})

test('a key that is there twice, a tag, a tab and a second document are refused', () => {
  assert.match(
    problemsOf(configText({ extra: 'node: { id: a, id: b }\n' })).lines[0] ?? '',
    /^5:16: this key is there twice/,
  )
  assert.match(
    problemsOf(configText({ extra: 'node: { id: !secret a }\n' })).lines[0] ?? '',
    /tags such as !name are not supported/,
  )
  assert.match(problemsOf('sources:\n\tapp: 1\n').lines[0] ?? '', /indent with spaces/)
  assert.match(
    problemsOf(`${configText()}---\n${configText()}`).lines[0] ?? '',
    /^\d+:\d+: a second document begins here/,
  )
})

test('a small file that unfolds to billions of values through aliases is refused at once', () => {
  const levels = Array.from(
    { length: 12 },
    (_, n) => `l${n + 1}: &l${n + 1} [${Array.from({ length: 10 }, () => `*l${n}`).join(', ')}]`,
  )
  const { code, lines } = problemsOf(`l0: &l0 x\n${levels.join('\n')}\n`)
  assert.equal(code, 'config.yaml')
  assert.match(lines[0] ?? '', /alias/i)
})

test('aliases that share a few values work', () => {
  const text =
    'sources:\n  a: { type: stdin, fields: &f { service_name: s } }\n  b: { type: http, fields: *f }\nbackends:\n  v: { type: archive, path: x }\n'
  assert.equal(parse(text).config.sources['b']?.type, 'http')
})

test('relative paths and globs are meant from the folder of the file, whatever its name', () => {
  const text = configText({
    source: 'type: file, include: [logs/*.log, ../up/*.log, /abs/*.log]',
    backend: 'type: elasticsearch, url: http://x, username: u, password_file: ./pw',
    extra: 'node: { data_dir: data }\n',
  })
  const { config } = parse(text)
  assert.equal(config.node.data_dir, '/etc/millrace/data')
  assert.deepEqual(config.sources['app'], {
    ...config.sources['app'],
    include: ['/etc/millrace/logs/*.log', '/etc/up/*.log', '/abs/*.log'],
  })
  assert.equal((config.backends['es'] as { password_file?: string }).password_file, '/etc/millrace/pw')
})

test('a secret file that is missing, empty, a folder or has several lines is told with its option', () => {
  assert.equal(readSecret(written('pw', 's3cret\n'), 'o'), 's3cret')
  const bad: readonly [string, RegExp][] = [
    [path.join(folder, 'nopw'), /^backends\.es\.password_file: .*nopw does not exist/],
    [written('emptypw', '\n'), /is empty; write the secret into it/],
    [folder, /is a folder/],
    [written('lines', 'a\nb\n'), /more than one line/],
  ]
  for (const [file, message] of bad)
    assert.throws(() => readSecret(file, 'backends.es.password_file'), {
      code: 'config.secret_file',
      message,
    })
})
