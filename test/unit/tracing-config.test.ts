import { describe, expect, it } from 'vitest';
import { readConfig } from '../../services/app/config.ts';
import { createSampler, tracesUrl } from '../../services/shared/process/tracing-config.ts';

const BASE = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' };

describe('the settings of tracing', () => {
  it.each([
    [{}, undefined],
    [BASE, 'http://collector:4318/v1/traces'],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'https://host/otlp/' }, 'https://host/otlp/v1/traces'],
    [{ ...BASE, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://other/in' }, 'http://other/in'],
    [{ ...BASE, OTEL_SDK_DISABLED: 'true' }, undefined],
  ])('should, with %j, send traces to %s', (env, url) => {
    expect(tracesUrl(readConfig(env))?.href).toBe(url);
  });

  it('should decode headers and attributes', () => {
    const config = readConfig({
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20abc%3D, x-tenant=7',
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test,note=a%2Cb',
    });
    expect(config.OTEL_EXPORTER_OTLP_HEADERS).toEqual({
      authorization: 'Bearer abc=',
      'x-tenant': '7',
    });
    expect(config.OTEL_RESOURCE_ATTRIBUTES).toEqual({
      'deployment.environment.name': 'test',
      note: 'a,b',
    });
  });

  it.each([
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'collector:4318'],
    ['OTEL_EXPORTER_OTLP_PROTOCOL', 'grpc'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'a b=c'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'name=a%0Ab'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'authorization'],
    ['OTEL_RESOURCE_ATTRIBUTES', 'a=100%'],
    ['OTEL_TRACES_SAMPLER', 'xray'],
    ['OTEL_TRACES_SAMPLER_ARG', '1.1'],
    ['OTEL_TRACES_SAMPLER_ARG', '10%'],
    ['OTEL_SDK_DISABLED', 'yes'],
  ])('should refuse %s=%s', (name, value) => {
    expect(() => readConfig({ [name]: value })).toThrow(`${name}=`);
  });

  it('should not show headers that it refuses', () => {
    const read = () => readConfig({ OTEL_EXPORTER_OTLP_HEADERS: 'authorization=secret%' });
    expect(read).toThrow('(21 characters, not shown)');
    expect(read).not.toThrow('secret');
  });
});

describe('the sampler', () => {
  const sampler = (name: string, ratio = '1') =>
    createSampler(readConfig({ OTEL_TRACES_SAMPLER: name, OTEL_TRACES_SAMPLER_ARG: ratio }));
  const id = (last14: string) => '0123456789abcdef01'.concat(last14);

  // OpenTelemetry's threshold for a ratio is (1 - ratio) * 2^56, of the last 56 bits.
  it.each([
    ['0.5', '80000000000000', '7fffffffffffff'],
    ['0.25', 'c0000000000000', 'bfffffffffffff'],
    ['0.01', 'fd70a3d70a3d71', 'fd70a3d70a3d00'],
    ['0.000001', 'ffffffffffffff', 'ffff0000000000'],
  ])('should, with a ratio of %s, sample %s but not %s', (ratio, sampled, other) => {
    const isSampled = sampler('traceidratio', ratio);
    expect(isSampled(id(sampled), undefined)).toBe(true);
    expect(isSampled(id(other), undefined)).toBe(false);
  });

  it.each([
    ['always_on', '0', true],
    ['always_off', '1', false],
    ['traceidratio', '1', true],
    ['traceidratio', '0', false],
  ])('should sample with %s and %s every trace, or none: %s', (name, ratio, sampled) => {
    for (const last of ['00000000000000', 'ffffffffffffff']) {
      expect(sampler(name, ratio)(id(last), undefined)).toBe(sampled);
      expect(sampler(name, ratio)(id(last), !sampled)).toBe(sampled);
      expect(sampler(`parentbased_${name}`, ratio)(id(last), undefined)).toBe(sampled);
      expect(sampler(`parentbased_${name}`, ratio)(id(last), !sampled)).toBe(!sampled);
    }
  });
});
