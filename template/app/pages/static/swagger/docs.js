// Starts the interactive page at /docs. A file of its own: the policy allows no script in the page.
const place = document.getElementById("api");

SwaggerUIBundle({
  domNode: place,
  url: place.dataset.url,
  deepLinking: true,
  // Where no token is sent, the session of this browser is used, and that needs the form token.
  requestInterceptor: (request) => {
    if (!request.headers.Authorization) request.headers["X-CSRFToken"] = place.dataset.csrf;
    return request;
  },
});
