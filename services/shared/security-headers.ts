import helmet from 'helmet';

/** Security headers that hold on plain HTTP too, as in a classroom; TLS ends before nginx. */
export const securityHeaders = helmet({
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      defaultSrc: ["'self'"],
      baseUri: ["'none'"],
      formAction: ["'self'"],
      frameAncestors: ["'none'"],
      objectSrc: ["'none'"],
    },
  },
  // For whoever ends TLS to decide: it binds the whole host name for months.
  strictTransportSecurity: false,
});
