import { describe, expect, test } from 'vitest'
import { s3Client } from './s3-client.ts'

const volumes = [{ volume: 's3v', members: { '*': 'create-bucket' as const } }]

describe('CreateBucket', () => {
  test('makes it in the configured volume, and says where', async () => {
    const s3 = await s3Client({
      config: { volume: 'home' },
      volumes: [{ volume: 'home', owner: 'alice' }],
    })
    const answer = await s3.ok('PUT', '/photos', { as: 'alice' })
    expect(answer.header('location')).toBe('/photos')
    const bucket = await s3.store
      .session({ user: 'alice', admin: false })
      .buckets.info({ volume: 'home', bucket: 'photos' })
    expect(bucket.owner).toBe('alice')
  })

  test("answers 200 for one's own in us-east-1 and keeps what is in it", async () => {
    const s3 = await s3Client()
    await s3.ok('PUT', '/photos')
    await s3.ok('PUT', '/photos/a', { body: 'x' })
    expect((await s3.send('PUT', '/photos')).outcome).toBe('200')
    expect((await s3.ok('GET', '/photos/a')).text).toBe('x')
  })

  test("is BucketAlreadyOwnedByYou for one's own elsewhere", async () => {
    const s3 = await s3Client({ config: { region: 'eu-central-1' } })
    const as = { region: 'eu-central-1' } as const
    await s3.ok('PUT', '/photos', as)
    expect((await s3.send('PUT', '/photos', as)).outcome).toBe('409 BucketAlreadyOwnedByYou')
  })

  test("is BucketAlreadyExists for another's", async () => {
    const s3 = await s3Client({ volumes })
    await s3.ok('PUT', '/photos', { as: 'alice' })
    const answer = await s3.send('PUT', '/photos', { as: 'bob' })
    expect(answer.outcome).toBe('409 BucketAlreadyExists')
    expect(answer.first('BucketName')).toBe('photos')
  })

  test('is AccessDenied for those whom the volume does not let create', async () => {
    const s3 = await s3Client({ volumes: [{ volume: 's3v' }] })
    expect((await s3.send('PUT', '/photos', { as: 'alice' })).outcome).toBe('403 AccessDenied')
  })

  test.each(['ab', 'Photos', 'a_b', '192.168.0.1', 'a..b', '-ab', 'a'.repeat(64)])(
    'refuses the name %s',
    async (name) => {
      const s3 = await s3Client()
      const answer = await s3.send('PUT', `/${name}`)
      expect(answer.outcome).toBe('400 InvalidBucketName')
      expect(answer.first('BucketName')).toBe(name)
    },
  )

  test.each([
    ['us-east-1', '200'],
    ['eu-west-1', '400 IllegalLocationConstraintException'],
    ['the-moon', '400 InvalidLocationConstraint'],
  ])('with the location constraint %s is %s', async (region, outcome) => {
    const s3 = await s3Client()
    const body = `<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><LocationConstraint>${region}</LocationConstraint></CreateBucketConfiguration>`
    expect((await s3.send('PUT', '/photos', { body })).outcome).toBe(outcome)
  })

  test('keeps the tags that it was given', async () => {
    const s3 = await s3Client()
    const body =
      '<CreateBucketConfiguration><Tags><Tag><Key>team</Key><Value>red</Value></Tag></Tags></CreateBucketConfiguration>'
    await s3.ok('PUT', '/photos', { body })
    expect((await s3.ok('GET', '/photos?tagging')).all('Value')).toEqual(['red'])
  })

  test('is TooManyBuckets when the quota of the volume is used up', async () => {
    const s3 = await s3Client()
    await s3.store.session({ user: 'admin', admin: true }).volumes.update('s3v', { quota: { buckets: 1 } })
    await s3.ok('PUT', '/photos')
    expect((await s3.send('PUT', '/videos')).outcome).toBe('400 TooManyBuckets')
  })

  test('is MalformedXML for a body that is none', async () => {
    const s3 = await s3Client()
    expect((await s3.send('PUT', '/photos', { body: '<Create' })).outcome).toBe('400 MalformedXML')
  })
})

describe('HeadBucket', () => {
  test('says the region', async () => {
    const s3 = await s3Client()
    await s3.ok('PUT', '/photos')
    const answer = await s3.ok('HEAD', '/photos')
    expect(answer.header('x-amz-bucket-region')).toBe('us-east-1')
    expect(answer.bytes.length).toBe(0)
  })

  test('is 404 and 403 without a body', async () => {
    const s3 = await s3Client({ volumes })
    await s3.ok('PUT', '/photos', { as: 'alice' })
    const missing = await s3.send('HEAD', '/videos')
    const foreign = await s3.send('HEAD', '/photos', { as: 'bob' })
    expect([missing.status, missing.bytes.length, foreign.status, foreign.bytes.length]).toEqual([404, 0, 403, 0])
  })
})

describe('DeleteBucket', () => {
  test('takes an empty bucket away', async () => {
    const s3 = await s3Client()
    await s3.ok('PUT', '/photos')
    expect((await s3.send('DELETE', '/photos')).outcome).toBe('204')
    expect((await s3.send('DELETE', '/photos')).outcome).toBe('404 NoSuchBucket')
  })

  test('is BucketNotEmpty with an object, and with an upload in progress', async () => {
    const s3 = await s3Client()
    await s3.ok('PUT', '/photos')
    await s3.ok('PUT', '/photos/a', { body: 'x' })
    expect((await s3.send('DELETE', '/photos')).outcome).toBe('409 BucketNotEmpty')
    await s3.ok('DELETE', '/photos/a')
    await s3.ok('POST', '/photos/a?uploads')
    expect((await s3.send('DELETE', '/photos')).outcome).toBe('409 BucketNotEmpty')
  })
})

describe('ListBuckets', () => {
  test('shows names, dates, regions and the owner', async () => {
    const s3 = await s3Client()
    await s3.ok('PUT', '/photos')
    const answer = await s3.ok('GET', '/')
    expect(answer.all('Name')).toEqual(['photos'])
    expect(answer.first('CreationDate')).toBe('2026-11-22T12:00:00.000Z')
    expect(answer.first('BucketRegion')).toBe('us-east-1')
    expect(answer.first('ID')).toBe('admin')
  })

  test('shows only what the caller may see', async () => {
    const s3 = await s3Client({ volumes })
    await s3.ok('PUT', '/of-alice', { as: 'alice' })
    await s3.ok('PUT', '/of-bob', { as: 'bob' })
    expect((await s3.ok('GET', '/', { as: 'bob' })).all('Name')).toEqual(['of-bob'])
    expect((await s3.ok('GET', '/')).all('Name')).toEqual(['of-alice', 'of-bob'])
  })

  test('pages with a token, which keeps its prefix', async () => {
    const s3 = await s3Client()
    for (const name of ['aaa', 'b-1', 'b-2', 'b-3', 'ccc']) await s3.ok('PUT', `/${name}`)
    const seen: string[][] = []
    let token: string | undefined = ''
    while (token !== undefined) {
      const page = await s3.ok('GET', `/?prefix=b-&max-buckets=2&continuation-token=${token}`)
      expect(page.first('Prefix')).toBe('b-')
      seen.push(page.all('Name'))
      token = page.first('ContinuationToken')
    }
    expect(seen).toEqual([['b-1', 'b-2'], ['b-3']])
  })

  test('lists nothing of another region', async () => {
    const s3 = await s3Client()
    await s3.ok('PUT', '/photos')
    expect((await s3.ok('GET', '/?bucket-region=eu-west-1')).all('Name')).toEqual([])
    expect((await s3.ok('GET', '/?bucket-region=us-east-1')).all('Name')).toEqual(['photos'])
  })

  test.each(['max-buckets=0', 'max-buckets=-1', 'max-buckets=1e9', 'continuation-token=made-up'])(
    'refuses %s',
    async (query) => {
      const s3 = await s3Client()
      expect((await s3.send('GET', `/?${query}`)).outcome).toBe('400 InvalidArgument')
    },
  )
})

describe('GetBucketLocation', () => {
  test('is empty for us-east-1 and the name of any other region', async () => {
    const here = await s3Client()
    await here.ok('PUT', '/photos')
    expect((await here.ok('GET', '/photos?location')).text).toMatch(
      /<LocationConstraint [^>]*(\/>|><\/LocationConstraint>)/,
    )
    const there = await s3Client({ config: { region: 'eu-west-1' } })
    await there.ok('PUT', '/photos', { region: 'eu-west-1' })
    expect((await there.ok('GET', '/photos?location', { region: 'eu-west-1' })).text).toContain('>eu-west-1</')
  })

  test('is NoSuchBucket where there is none', async () => {
    const s3 = await s3Client()
    const answer = await s3.send('GET', '/photos?location')
    expect(answer.outcome).toBe('404 NoSuchBucket')
    expect(answer.first('BucketName')).toBe('photos')
  })
})

describe('GetBucketVersioning', () => {
  test('was never enabled', async () => {
    const s3 = await s3Client()
    await s3.ok('PUT', '/photos')
    const answer = await s3.ok('GET', '/photos?versioning')
    expect(answer.text).toContain('<VersioningConfiguration')
    expect(answer.text).not.toContain('Status')
    expect((await s3.send('GET', '/videos?versioning')).outcome).toBe('404 NoSuchBucket')
  })
})

describe('bucket tagging', () => {
  const tagging = (pairs: readonly (readonly [string, string])[]): string =>
    `<Tagging><TagSet>${pairs.map(([key, value]) => `<Tag><Key>${key}</Key><Value>${value}</Value></Tag>`).join('')}</TagSet></Tagging>`

  test('round-trips and goes', async () => {
    const s3 = await s3Client()
    await s3.ok('PUT', '/photos')
    const none = await s3.send('GET', '/photos?tagging')
    expect(none.outcome).toBe('404 NoSuchTagSet')
    expect(
      (
        await s3.send('PUT', '/photos?tagging', {
          body: tagging([
            ['a', '1'],
            ['ä', 'ö '],
          ]),
        })
      ).status,
    ).toBe(204)
    const answer = await s3.ok('GET', '/photos?tagging')
    expect([answer.all('Key'), answer.all('Value')]).toEqual([
      ['a', 'ä'],
      ['1', 'ö '],
    ])
    expect((await s3.send('DELETE', '/photos?tagging')).status).toBe(204)
    expect((await s3.send('GET', '/photos?tagging')).outcome).toBe('404 NoSuchTagSet')
  })

  test('takes 50 and no more', async () => {
    const s3 = await s3Client()
    await s3.ok('PUT', '/photos')
    const many = (count: number) => tagging(Array.from({ length: count }, (_, i) => [`k${i}`, 'v']))
    await s3.ok('PUT', '/photos?tagging', { body: many(50) })
    expect((await s3.send('PUT', '/photos?tagging', { body: many(51) })).outcome).toBe('400 InvalidTag')
  })

  test('is for those who may change the bucket', async () => {
    const s3 = await s3Client({ volumes })
    await s3.ok('PUT', '/photos', { as: 'alice' })
    const answer = await s3.send('PUT', '/photos?tagging', { body: tagging([['a', 'b']]), as: 'bob' })
    expect(answer.outcome).toBe('403 AccessDenied')
  })
})
