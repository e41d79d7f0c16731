from tests.support.post import make_post, post

__all__ = ["make_post", "post"]
